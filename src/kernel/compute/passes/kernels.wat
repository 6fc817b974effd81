;; Sums over the entries of a pass (memory.ts), in memory that workers share, four float32 at a time. Sums are added in one order,
;; whatever the machine. Arrays are given by the address of their first byte; lists of entries by where each begins, p[i]..p[i+1]-1.
;; scripts/wasm.mjs makes kernels.ts of this.
(module
  (import "e" "m" (memory 1 65536 shared))
  ;; Rows i = 0..n-1 of to, d wide, plus the sum over entries e of i of weights[e] times row which[e] of from. Four entries at a time; at
  ;; the end the last one again, with weight 0.
  (func
    (export "gather") (param $n i32) (param $p i32) (param $which i32) (param $weights i32) (param $from i32)
    (param $d i32) (param $to i32) (local $i i32) (local $e i32) (local $end i32) (local $at i32) (local $fours i32)
    (local $all i32) (local $r0 i32) (local $r1 i32) (local $r2 i32) (local $r3 i32) (local $w0 f32) (local $w1 f32)
    (local $w2 f32) (local $w3 f32) (local $v0 v128) (local $v1 v128) (local $v2 v128) (local $v3 v128)
    (local.set $all (i32.shl (local.get $d) (i32.const 2)))
    (local.set $fours (i32.and (local.get $all) (i32.const -16)))
    (block $done
      (loop $row
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $at (i32.add (local.get $p) (i32.shl (local.get $i) (i32.const 2))))
        (local.set $e (i32.load (local.get $at)))
        (local.set $end (i32.load offset=4 (local.get $at)))
        (block $summed
          (loop $entries
            (br_if $summed (i32.ge_u (local.get $e) (local.get $end)))
            (local.set $r0 (call $rowOf (local.get $which) (local.get $e) (local.get $end) (local.get $all)))
            (local.set $r1
              (call $rowOf (local.get $which) (i32.add (local.get $e) (i32.const 1)) (local.get $end) (local.get $all)))
            (local.set $r2
              (call $rowOf (local.get $which) (i32.add (local.get $e) (i32.const 2)) (local.get $end) (local.get $all)))
            (local.set $r3
              (call $rowOf (local.get $which) (i32.add (local.get $e) (i32.const 3)) (local.get $end) (local.get $all)))
            (local.set $r0 (i32.add (local.get $from) (local.get $r0)))
            (local.set $r1 (i32.add (local.get $from) (local.get $r1)))
            (local.set $r2 (i32.add (local.get $from) (local.get $r2)))
            (local.set $r3 (i32.add (local.get $from) (local.get $r3)))
            (local.set $w0 (f32.load (i32.add (local.get $weights) (i32.shl (local.get $e) (i32.const 2)))))
            (local.set $w1
              (call $weightOf (local.get $weights) (i32.add (local.get $e) (i32.const 1)) (local.get $end)))
            (local.set $w2
              (call $weightOf (local.get $weights) (i32.add (local.get $e) (i32.const 2)) (local.get $end)))
            (local.set $w3
              (call $weightOf (local.get $weights) (i32.add (local.get $e) (i32.const 3)) (local.get $end)))
            (local.set $v0 (f32x4.splat (local.get $w0)))
            (local.set $v1 (f32x4.splat (local.get $w1)))
            (local.set $v2 (f32x4.splat (local.get $w2)))
            (local.set $v3 (f32x4.splat (local.get $w3)))
            (local.set $at (i32.const 0))
            (block $filled
              (loop $four
                (br_if $filled (i32.ge_u (local.get $at) (local.get $fours)))
                (v128.store
                  (i32.add (local.get $to) (local.get $at))
                  (f32x4.add
                    (v128.load (i32.add (local.get $to) (local.get $at)))
                    (f32x4.add
                      (f32x4.add
                        (f32x4.mul (local.get $v0) (v128.load (i32.add (local.get $r0) (local.get $at))))
                        (f32x4.mul (local.get $v1) (v128.load (i32.add (local.get $r1) (local.get $at)))))
                      (f32x4.add
                        (f32x4.mul (local.get $v2) (v128.load (i32.add (local.get $r2) (local.get $at))))
                        (f32x4.mul (local.get $v3) (v128.load (i32.add (local.get $r3) (local.get $at))))))))
                (local.set $at (i32.add (local.get $at) (i32.const 16)))
                (br $four)))
            (block $filled
              (loop $one
                (br_if $filled (i32.ge_u (local.get $at) (local.get $all)))
                (f32.store
                  (i32.add (local.get $to) (local.get $at))
                  (f32.add
                    (f32.load (i32.add (local.get $to) (local.get $at)))
                    (f32.add
                      (f32.add
                        (f32.mul (local.get $w0) (f32.load (i32.add (local.get $r0) (local.get $at))))
                        (f32.mul (local.get $w1) (f32.load (i32.add (local.get $r1) (local.get $at)))))
                      (f32.add
                        (f32.mul (local.get $w2) (f32.load (i32.add (local.get $r2) (local.get $at))))
                        (f32.mul (local.get $w3) (f32.load (i32.add (local.get $r3) (local.get $at))))))))
                (local.set $at (i32.add (local.get $at) (i32.const 4)))
                (br $one)))
            (local.set $e (i32.add (local.get $e) (i32.const 4)))
            (br $entries)))
        (local.set $to (i32.add (local.get $to) (local.get $all)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $row))))
  ;; out[e] = row which[e] of from times row i of rows, for the entries e of rows i = 0..n-1: four sums that take every fourth column
  ;; each, added as (s0 + s1) + (s2 + s3), the last columns after them.
  (func
    (export "dots") (param $n i32) (param $p i32) (param $which i32) (param $from i32) (param $d i32) (param $rows i32)
    (param $out i32) (local $i i32) (local $e i32) (local $end i32) (local $at i32) (local $fours i32) (local $all i32)
    (local $r0 i32) (local $r1 i32) (local $r2 i32) (local $r3 i32) (local $v v128) (local $s0 v128) (local $s1 v128)
    (local $s2 v128) (local $s3 v128)
    (local.set $all (i32.shl (local.get $d) (i32.const 2)))
    (local.set $fours (i32.and (local.get $all) (i32.const -16)))
    (block $done
      (loop $row
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $at (i32.add (local.get $p) (i32.shl (local.get $i) (i32.const 2))))
        (local.set $e (i32.load (local.get $at)))
        (local.set $end (i32.load offset=4 (local.get $at)))
        (block $summed
          (loop $entries
            (br_if $summed (i32.ge_u (local.get $e) (local.get $end)))
            (local.set $r0 (call $rowOf (local.get $which) (local.get $e) (local.get $end) (local.get $all)))
            (local.set $r1
              (call $rowOf (local.get $which) (i32.add (local.get $e) (i32.const 1)) (local.get $end) (local.get $all)))
            (local.set $r2
              (call $rowOf (local.get $which) (i32.add (local.get $e) (i32.const 2)) (local.get $end) (local.get $all)))
            (local.set $r3
              (call $rowOf (local.get $which) (i32.add (local.get $e) (i32.const 3)) (local.get $end) (local.get $all)))
            (local.set $r0 (i32.add (local.get $from) (local.get $r0)))
            (local.set $r1 (i32.add (local.get $from) (local.get $r1)))
            (local.set $r2 (i32.add (local.get $from) (local.get $r2)))
            (local.set $r3 (i32.add (local.get $from) (local.get $r3)))
            (local.set $s0 (v128.const i32x4 0 0 0 0))
            (local.set $s1 (local.get $s0))
            (local.set $s2 (local.get $s0))
            (local.set $s3 (local.get $s0))
            (local.set $at (i32.const 0))
            (block $filled
              (loop $four
                (br_if $filled (i32.ge_u (local.get $at) (local.get $fours)))
                (local.set $v (v128.load (i32.add (local.get $rows) (local.get $at))))
                (local.set $s0
                  (f32x4.add
                    (local.get $s0)
                    (f32x4.mul (local.get $v) (v128.load (i32.add (local.get $r0) (local.get $at))))))
                (local.set $s1
                  (f32x4.add
                    (local.get $s1)
                    (f32x4.mul (local.get $v) (v128.load (i32.add (local.get $r1) (local.get $at))))))
                (local.set $s2
                  (f32x4.add
                    (local.get $s2)
                    (f32x4.mul (local.get $v) (v128.load (i32.add (local.get $r2) (local.get $at))))))
                (local.set $s3
                  (f32x4.add
                    (local.get $s3)
                    (f32x4.mul (local.get $v) (v128.load (i32.add (local.get $r3) (local.get $at))))))
                (local.set $at (i32.add (local.get $at) (i32.const 16)))
                (br $four)))
            ;; four sums of four lanes each to one vector: lane q is that of entry q
            (local.set $v
              (f32x4.add
                (i8x16.shuffle 0 1 2 3 16 17 18 19 8 9 10 11 24 25 26 27 (local.get $s0) (local.get $s1))
                (i8x16.shuffle 4 5 6 7 20 21 22 23 12 13 14 15 28 29 30 31 (local.get $s0) (local.get $s1))))
            (local.set $s2
              (f32x4.add
                (i8x16.shuffle 0 1 2 3 16 17 18 19 8 9 10 11 24 25 26 27 (local.get $s2) (local.get $s3))
                (i8x16.shuffle 4 5 6 7 20 21 22 23 12 13 14 15 28 29 30 31 (local.get $s2) (local.get $s3))))
            (local.set $v
              (f32x4.add
                (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $v) (local.get $s2))
                (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $v) (local.get $s2))))
            (block $filled
              (loop $one
                (br_if $filled (i32.ge_u (local.get $at) (local.get $all)))
                (local.set $v
                  (f32x4.add
                    (local.get $v)
                    (f32x4.mul
                      (v128.load32_splat (i32.add (local.get $rows) (local.get $at)))
                      (v128.load32_lane 3
                        (i32.add (local.get $r3) (local.get $at))
                        (v128.load32_lane 2
                          (i32.add (local.get $r2) (local.get $at))
                          (v128.load32_lane 1
                            (i32.add (local.get $r1) (local.get $at))
                            (v128.load32_zero (i32.add (local.get $r0) (local.get $at)))))))))
                (local.set $at (i32.add (local.get $at) (i32.const 4)))
                (br $one)))
            ;; what lies beyond the entries of this row is written again by the next one
            (v128.store (i32.add (local.get $out) (i32.shl (local.get $e) (i32.const 2))) (local.get $v))
            (local.set $e (i32.add (local.get $e) (i32.const 4)))
            (br $entries)))
        (local.set $rows (i32.add (local.get $rows) (local.get $all)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $row))))
  ;; Rows of x, d wide, minus those of y; squares[i] = the sum of the squares of row i in float64, of four sums that take every fourth
  ;; column each, (s0 + s1) + (s2 + s3), the last columns after them.
  (func
    (export "subtract") (param $x i32) (param $y i32) (param $rows i32) (param $d i32) (param $squares i32)
    (local $end i32) (local $fours i32) (local $v v128) (local $a v128) (local $low v128) (local $high v128)
    (local $f f32) (local $sum f64)
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $fours (i32.add (local.get $x) (i32.shl (i32.and (local.get $d) (i32.const -4)) (i32.const 2))))
        (local.set $end (i32.add (local.get $x) (i32.shl (local.get $d) (i32.const 2))))
        (local.set $low (v128.const i32x4 0 0 0 0))
        (local.set $high (local.get $low))
        (block $filled
          (loop $four
            (br_if $filled (i32.ge_u (local.get $x) (local.get $fours)))
            (local.set $v (f32x4.sub (v128.load (local.get $x)) (v128.load (local.get $y))))
            (v128.store (local.get $x) (local.get $v))
            (local.set $a (f64x2.promote_low_f32x4 (local.get $v)))
            (local.set $low (f64x2.add (local.get $low) (f64x2.mul (local.get $a) (local.get $a))))
            (local.set $a (f64x2.promote_low_f32x4 (call $upper (local.get $v))))
            (local.set $high (f64x2.add (local.get $high) (f64x2.mul (local.get $a) (local.get $a))))
            (local.set $x (i32.add (local.get $x) (i32.const 16)))
            (local.set $y (i32.add (local.get $y) (i32.const 16)))
            (br $four)))
        (local.set $sum
          (f64.add
            (f64.add (f64x2.extract_lane 0 (local.get $low)) (f64x2.extract_lane 1 (local.get $low)))
            (f64.add (f64x2.extract_lane 0 (local.get $high)) (f64x2.extract_lane 1 (local.get $high)))))
        (block $filled
          (loop $one
            (br_if $filled (i32.ge_u (local.get $x) (local.get $end)))
            (local.set $f (f32.sub (f32.load (local.get $x)) (f32.load (local.get $y))))
            (f32.store (local.get $x) (local.get $f))
            (local.set $sum
              (f64.add
                (local.get $sum)
                (f64.mul (f64.promote_f32 (local.get $f)) (f64.promote_f32 (local.get $f)))))
            (local.set $x (i32.add (local.get $x) (i32.const 4)))
            (local.set $y (i32.add (local.get $y) (i32.const 4)))
            (br $one)))
        (f64.store (local.get $squares) (local.get $sum))
        (local.set $squares (i32.add (local.get $squares) (i32.const 8)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $row))))
  ;; Rows of x, d wide, times weight, rounded once; their sums by column, before rounding, are added to columns.
  (func
    (export "scale") (param $x i32) (param $rows i32) (param $d i32) (param $weight f64) (param $columns i32)
    (local $end i32) (local $fours i32) (local $to i32) (local $w v128) (local $low v128) (local $high v128)
    (local $v f64)
    (local.set $w (f64x2.splat (local.get $weight)))
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $fours (i32.add (local.get $x) (i32.shl (i32.and (local.get $d) (i32.const -4)) (i32.const 2))))
        (local.set $end (i32.add (local.get $x) (i32.shl (local.get $d) (i32.const 2))))
        (local.set $to (local.get $columns))
        (block $filled
          (loop $four
            (br_if $filled (i32.ge_u (local.get $x) (local.get $fours)))
            (local.set $low (v128.load (local.get $x)))
            (local.set $high (f64x2.mul (local.get $w) (f64x2.promote_low_f32x4 (call $upper (local.get $low)))))
            (local.set $low (f64x2.mul (local.get $w) (f64x2.promote_low_f32x4 (local.get $low))))
            (v128.store (local.get $to) (f64x2.add (v128.load (local.get $to)) (local.get $low)))
            (v128.store offset=16
              (local.get $to)
              (f64x2.add (v128.load offset=16 (local.get $to)) (local.get $high)))
            (v128.store
              (local.get $x)
              (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23
                (f32x4.demote_f64x2_zero (local.get $low))
                (f32x4.demote_f64x2_zero (local.get $high))))
            (local.set $x (i32.add (local.get $x) (i32.const 16)))
            (local.set $to (i32.add (local.get $to) (i32.const 32)))
            (br $four)))
        (block $filled
          (loop $one
            (br_if $filled (i32.ge_u (local.get $x) (local.get $end)))
            (local.set $v (f64.mul (local.get $weight) (f64.promote_f32 (f32.load (local.get $x)))))
            (f64.store (local.get $to) (f64.add (f64.load (local.get $to)) (local.get $v)))
            (f32.store (local.get $x) (f32.demote_f64 (local.get $v)))
            (local.set $x (i32.add (local.get $x) (i32.const 4)))
            (local.set $to (i32.add (local.get $to) (i32.const 8)))
            (br $one)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $row))))
  ;; The last two numbers of x, twice.
  (func $upper
    (param $x v128) (result v128)
    (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $x) (local.get $x)))
  ;; Where the row of entry e begins, of the last entry where e is beyond it.
  (func $rowOf
    (param $which i32) (param $e i32) (param $end i32) (param $width i32) (result i32)
    (i32.mul
      (i32.load
        (i32.add
          (local.get $which)
          (i32.shl
            (select
              (local.get $e)
              (i32.sub (local.get $end) (i32.const 1))
              (i32.lt_u (local.get $e) (local.get $end)))
            (i32.const 2))))
      (local.get $width)))
  ;; The weight of entry e, 0 beyond the last.
  (func $weightOf
    (param $weights i32) (param $e i32) (param $end i32) (result f32)
    (if (result f32)
      (i32.lt_u (local.get $e) (local.get $end))
      (then (f32.load (i32.add (local.get $weights) (i32.shl (local.get $e) (i32.const 2)))))
      (else (f32.const 0)))))
