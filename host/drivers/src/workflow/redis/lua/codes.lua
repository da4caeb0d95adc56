-- The code that instances of an app need which have not ended.
return redis.call("HKEYS", of("codes", take()))
