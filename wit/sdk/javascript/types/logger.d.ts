export declare enum LogLevel {
  Error = 0,
  Warn = 1,
  Info = 2,
  Verbose = 3,
  Debug = 4,
}

export interface LoggerService {
  error(message: any, ...optionalParams: any[]): void;
  warn(message: any, ...optionalParams: any[]): void;
  info(message: any, ...optionalParams: any[]): void;
  verbose(message: any, ...optionalParams: any[]): void;
  debug(message: any, ...optionalParams: any[]): void;
}

export interface LoggerOptions {
  level?: LogLevel;
  service?: LoggerService;
}

/** Writes to the console, which the host takes as the guest's log. */
export declare class ConsoleLoggerService implements LoggerService {
  error(message: any, ...optionalParams: any[]): void;
  warn(message: any, ...optionalParams: any[]): void;
  info(message: any, ...optionalParams: any[]): void;
  verbose(message: any, ...optionalParams: any[]): void;
  debug(message: any, ...optionalParams: any[]): void;
}
