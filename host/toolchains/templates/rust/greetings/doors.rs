    workflows: greetings::workflows,
