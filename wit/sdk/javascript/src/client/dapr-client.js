// DaprClient: the building blocks of a guest.

import { CommunicationProtocolEnum } from '../enums.js';
import { invoker } from './invoker.js';
import { notOffered } from './not-offered.js';
import { pubsub } from './pubsub.js';
import { secret } from './secret.js';
import { state } from './state.js';
import { management } from './workflow.js';

/** The client. Host, port, protocol and token are taken and not used: there is no sidecar to reach. */
export class DaprClient {
  constructor(options = {}) {
    this.options = {
      daprHost: '127.0.0.1', daprPort: '3500', communicationProtocol: CommunicationProtocolEnum.HTTP, ...options,
    };
    this.invoker = invoker;
    this.pubsub = pubsub;
    this.secret = secret;
    this.state = state;
    this.health = { isHealthy: async () => true };
    for (const block of ['actor', 'binding', 'configuration', 'crypto', 'lock', 'metadata', 'proxy', 'sidecar']) {
      this[block] = notOffered(`client.${block}`);
    }
  }

  get daprClient() {
    return this;
  }

  get workflow() {
    return management();
  }

  static create(client) {
    return new DaprClient(client?.options);
  }

  static async awaitSidecarStarted() {}

  async start() {}

  async stop() {}

  getIsInitialized() {
    return true;
  }
}
