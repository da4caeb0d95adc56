// wasi:http/types, as far as guest/wire.js goes: bodies are arrays of bytes.

class Resource {
  [Symbol.dispose]() {}
}

export class Fields extends Resource {
  constructor(list) {
    super();
    this.list = list;
  }

  static fromList(list) {
    return new Fields(list);
  }

  entries() {
    return this.list;
  }
}

class InputStream extends Resource {
  constructor(chunks) {
    super();
    this.chunks = [...chunks];
  }

  blockingRead() {
    if (this.chunks.length === 0) throw Object.assign(new Error('closed'), { payload: { tag: 'closed' } });
    return this.chunks.shift();
  }
}

export class IncomingBody extends Resource {
  constructor(chunks) {
    super();
    this.chunks = chunks;
  }

  static finish() {
    return new Resource();
  }

  stream() {
    return new InputStream(this.chunks);
  }
}

/** A request, for tests. */
export class IncomingRequest extends Resource {
  constructor({ verb = 'GET', path = '/', headers = {}, chunks = [] }) {
    super();
    Object.assign(this, { verb, path, given: headers, chunks });
  }

  method() {
    return ['PATCH', 'GET', 'POST', 'PUT', 'DELETE'].includes(this.verb)
      ? { tag: this.verb.toLowerCase() } : { tag: 'other', val: this.verb };
  }

  pathWithQuery() {
    return this.path;
  }

  authority() {
    return 'guest.test';
  }

  headers() {
    return new Fields(Object.entries(this.given).map(([name, value]) => [name, new TextEncoder().encode(value)]));
  }

  consume() {
    return new IncomingBody(this.chunks.map((chunk) => new TextEncoder().encode(chunk)));
  }
}

export class OutgoingBody extends Resource {
  written = [];

  static finish(body) {
    body.finished = true;
  }

  write() {
    const stream = new Resource();
    stream.blockingWriteAndFlush = (bytes) => {
      if (bytes.length > 4096) throw new Error('too much at once');
      this.written.push(...bytes);
    };
    return stream;
  }
}

export class OutgoingResponse extends Resource {
  status = 200;
  outgoing = new OutgoingBody();

  constructor(fields) {
    super();
    this.fields = fields;
  }

  setStatusCode(status) {
    this.status = status;
  }

  body() {
    return this.outgoing;
  }
}

export const ResponseOutparam = {
  set(outparam, { val }) {
    outparam.response = val;
  },
};
