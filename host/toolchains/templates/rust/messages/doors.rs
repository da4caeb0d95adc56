    subscriptions: messages::subscriptions,
