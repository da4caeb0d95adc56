curl -X POST localhost:8080/visits                                       # {"visits":1}
curl localhost:8080/visits                                               # {"visits":1}
