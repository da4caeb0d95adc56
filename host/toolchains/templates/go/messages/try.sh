berth publish -i {{name}} -p pubsub -t messages -d '{"id": "1", "text": "hello"}'
curl localhost:8080/messages/1                                           # hello
