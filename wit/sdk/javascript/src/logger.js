// The logger of the official SDK.

/** Writes to the console, which the host takes as the guest's log. */
export class ConsoleLoggerService {
  error(message, ...rest) {
    console.error(message, ...rest);
  }

  warn(message, ...rest) {
    console.warn(message, ...rest);
  }

  info(message, ...rest) {
    console.info(message, ...rest);
  }

  verbose(message, ...rest) {
    console.debug(message, ...rest);
  }

  debug(message, ...rest) {
    console.debug(message, ...rest);
  }
}
