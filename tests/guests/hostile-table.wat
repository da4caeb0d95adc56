;; Any request grows the table until the host refuses, then traps. Languages offer no table.grow.
(module
  (table $table 0 funcref)
  (memory (export "memory") 0)
  (func (export "wasi:http/incoming-handler@0.2.12#handle") (param $request i32) (param $outparam i32)
    (loop $more
      (br_if $more
        (i32.ne
          (table.grow $table (ref.null func) (i32.const 1024))
          (i32.const -1))))
    unreachable))
