// `client.workflow`, over DaprWorkflowClient. Put in by the build if the program uses it.

import { offerManagement } from '../client/workflow.js';
import { DaprWorkflowClient } from './client.js';
import { WorkflowRuntimeStatus } from './state.js';

const workflows = new DaprWorkflowClient();

// RUNNING to Running, CONTINUED_AS_NEW to ContinuedAsNew.
const word = (status) => WorkflowRuntimeStatus[status].toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter) => letter.toUpperCase());

async function get(instanceId) {
  const state = await workflows.getWorkflowState(instanceId, true);
  if (!state) throw new Error(`there is no workflow instance ${instanceId}`);
  return {
    instanceID: state.instanceId,
    workflowName: state.name,
    createdAt: state.createdAt,
    lastUpdatedAt: state.lastUpdatedAt,
    runtimeStatus: word(state.runtimeStatus),
    properties: { 'dapr.workflow.output': state.serializedOutput, 'dapr.workflow.custom_status': state.customStatus },
  };
}

const start = (name, input, instanceId) => workflows.scheduleNewWorkflow(name, input, instanceId);
const raise = (instanceId, name, data) => workflows.raiseEvent(instanceId, name, data);

offerManagement({
  get,
  getWorkflowState: get,
  start,
  scheduleNewWorkflow: start,
  raise,
  raiseEvent: raise,
  terminate: (instanceId) => workflows.terminateWorkflow(instanceId),
  pause: (instanceId) => workflows.suspendWorkflow(instanceId),
  resume: (instanceId) => workflows.resumeWorkflow(instanceId),
  purge: async (instanceId) => {
    await workflows.purgeWorkflow(instanceId);
  },
});
