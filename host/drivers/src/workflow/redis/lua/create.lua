-- How many statuses make room, those, and a new instance: whether it was created, and the row that is there.
local replaces = {}
for _ = 1, count() do replaces[take()] = true end
local id = ARGV[at + 1]
local created = create(replaces)
return { created and 1 or 0, row(id) }
