-- Puts a message into an inbox: what became of it.
local id, dedup, sent_at, body = take(), optional(), take(), take()
return receive(id, dedup, sent_at, body)
