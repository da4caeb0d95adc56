// `client.workflow`: what berth:workflow/client offers, under the names of Dapr's HTTP API. The module that calls the host
// is put in by the build if the program uses it, so that a guest without workflows imports nothing of them.

let offered;

/** Called by the module that has it. */
export function offerManagement(management) {
  offered = management;
}

/** What was offered. */
export function management() {
  if (!offered) throw new Error('this guest was built without `client.workflow`; build it again with `berth build`');
  return offered;
}
