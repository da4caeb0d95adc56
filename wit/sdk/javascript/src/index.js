// What `import ... from "@dapr/dapr"` gives a guest.

export { DaprClient } from './client/dapr-client.js';
export { DaprServer } from './server/dapr-server.js';
export {
  CommunicationProtocolEnum, DaprPubSubStatusEnum, HttpMethod, LogLevel, StateConcurrencyEnum, StateConsistencyEnum,
} from './enums.js';
export { DaprError } from './errors.js';
export { ConsoleLoggerService } from './logger.js';
export { Task, TaskFailedError } from './workflow/task.js';
export { WorkflowActivityContext } from './workflow/activity-context.js';
export { WorkflowContext } from './workflow/context.js';
export { WorkflowRuntime } from './workflow/runtime.js';
export { DaprWorkflowClient } from './workflow/client.js';
export {
  WorkflowFailureDetails, WorkflowRuntimeStatus, WorkflowState, fromOrchestrationStatus, toOrchestrationStatus,
} from './workflow/state.js';
