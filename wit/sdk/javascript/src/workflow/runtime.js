// WorkflowRuntime: which workflows and activities the guest has.

import { activities, registerFunction, workflows } from '../runtime/registry.js';

/** Takes workflows and activities, for the host to call. */
export class WorkflowRuntime {
  registerWorkflow(workflow) {
    return this.registerWorkflowWithName(workflow?.name, workflow);
  }

  registerWorkflowWithName(name, workflow) {
    registerFunction(workflows, 'workflow', name, workflow);
    return this;
  }

  registerActivity(activity) {
    return this.registerActivityWithName(activity?.name, activity);
  }

  registerActivityWithName(name, activity) {
    registerFunction(activities, 'activity', name, activity);
    return this;
  }

  async start() {}

  async stop() {}
}
