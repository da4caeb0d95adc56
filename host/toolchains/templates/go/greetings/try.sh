curl localhost:8080/greetings --json '{"id": "1", "name": "Ada"}'       # {"id":"1"}
curl localhost:8080/greetings/1/answer --json '{"text": "hi"}'           # {"sent":true}
curl localhost:8080/greetings/1                                          # Thank you for
