// The types of `@berth/dapr`, which stands for `@dapr/dapr` in a guest. They take what the official SDK's types take, and the
// idioms that guides use beside them.

export { ConsoleLoggerService, LoggerOptions, LoggerService, LogLevel } from "./logger";
export { DaprClient, DaprClientOptions, DaprError } from "./client";
export { CommunicationProtocolEnum, HttpMethod, KeyValueType } from "./common";
export { DaprInvokerCallbackContent, DaprInvokerCallbackFunction, InvokerListenOptions, InvokerOptions } from "./invoker";
export { DaprInvokerCallbackFunction as TypeDaprInvokerCallback } from "./invoker";
export {
  CloudEvent, DaprPubSubCallback, DaprPubSubStatusEnum, PubSubBulkPublishEntry, PubSubBulkPublishMessage,
  PubSubBulkPublishResponse, PubSubPublishOptions, PubSubPublishResponseType, PubSubSubscriptionOptions,
} from "./pubsub";
export { DaprServer, DaprServerOptions } from "./server";
export {
  KeyValuePairType, OperationType, StateConcurrencyEnum, StateConsistencyEnum, StateGetBulkOptions, StateSaveResponseType,
} from "./state";
export {
  DaprWorkflowClient, fromOrchestrationStatus, StartOptions, toOrchestrationStatus, WorkflowClientOptions, WorkflowFailureDetails,
  WorkflowRuntimeStatus, WorkflowState,
} from "./workflow-client";
export {
  ActivityOptions, ChildWorkflowOptions, RetryPolicy, Task, TaskFailedError, TWorkflow, TWorkflowActivity,
  WorkflowActivityContext, WorkflowContext, WorkflowRuntime,
} from "./workflow";
