// Nothing: Go takes a function without a body, as sbrk is here, only from a package that has assembly.
