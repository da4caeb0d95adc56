// DaprServer: what the program offers to the host and to other apps.

import { DaprClient } from '../client/dapr-client.js';
import { notOffered } from '../client/not-offered.js';
import { invoker } from './invoker.js';
import { pubsub } from './pubsub.js';

/** The server. Host and port are taken and not used: the host calls the guest's exports. */
export class DaprServer {
  constructor(serverOptions = {}) {
    this.serverOptions = { serverHost: '127.0.0.1', serverPort: '3000', ...serverOptions };
    this.client = new DaprClient(serverOptions.clientOptions);
    this.pubsub = pubsub;
    this.invoker = invoker;
    this.actor = notOffered('server.actor');
    this.binding = notOffered('server.binding');
  }

  get daprServer() {
    return this;
  }

  getDaprClient() {
    return this;
  }

  async start() {}

  async stop() {}
}
