// The enums of the official SDK, with the same values.

export const CommunicationProtocolEnum = Object.freeze({ GRPC: 0, HTTP: 1, 0: 'GRPC', 1: 'HTTP' });

export const DaprPubSubStatusEnum = Object.freeze({ SUCCESS: 'SUCCESS', RETRY: 'RETRY', DROP: 'DROP' });

export const HttpMethod = Object.freeze({ GET: 'get', DELETE: 'delete', POST: 'post', PUT: 'put', PATCH: 'patch' });

export const LogLevel = Object.freeze({
  Error: 0, Warn: 1, Info: 2, Verbose: 3, Debug: 4, 0: 'Error', 1: 'Warn', 2: 'Info', 3: 'Verbose', 4: 'Debug',
});

export const StateConcurrencyEnum = Object.freeze({
  CONCURRENCY_UNSPECIFIED: 0, CONCURRENCY_FIRST_WRITE: 1, CONCURRENCY_LAST_WRITE: 2,
  0: 'CONCURRENCY_UNSPECIFIED', 1: 'CONCURRENCY_FIRST_WRITE', 2: 'CONCURRENCY_LAST_WRITE',
});

export const StateConsistencyEnum = Object.freeze({
  CONSISTENCY_UNSPECIFIED: 0, CONSISTENCY_EVENTUAL: 1, CONSISTENCY_STRONG: 2,
  0: 'CONSISTENCY_UNSPECIFIED', 1: 'CONSISTENCY_EVENTUAL', 2: 'CONSISTENCY_STRONG',
});
