;; Work on rows of which few entries count (memory.ts), four float32 at a time. Sums are added in one order, whatever the machine.
;; Arrays are given by the address of their first byte; lists of entries by where each begins, p[i]..p[i+1]-1, as in CSR.
;; scripts/wasm.mjs makes kernels.ts of this.
(module
  (import "e" "m" (memory 1 65536))
  ;; Rows of z <- (z + bias), times scale where there is one (not 0).
  (func
    (export "shift") (param $z i32) (param $rows i32) (param $cols i32) (param $bias i32) (param $scale i32)
    (local $at i32) (local $fours i32) (local $all i32)
    (local.set $fours (i32.shl (i32.and (local.get $cols) (i32.const -4)) (i32.const 2)))
    (local.set $all (i32.shl (local.get $cols) (i32.const 2)))
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $at (i32.const 0))
        (block $end
          (loop $four
            (br_if $end (i32.ge_u (local.get $at) (local.get $fours)))
            (v128.store
              (i32.add (local.get $z) (local.get $at))
              (f32x4.mul
                (f32x4.add
                  (v128.load (i32.add (local.get $z) (local.get $at)))
                  (v128.load (i32.add (local.get $bias) (local.get $at))))
                (if (result v128)
                  (local.get $scale)
                  (then (v128.load (i32.add (local.get $scale) (local.get $at))))
                  (else (v128.const f32x4 1 1 1 1)))))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (br $four)))
        (block $end
          (loop $one
            (br_if $end (i32.ge_u (local.get $at) (local.get $all)))
            (f32.store
              (i32.add (local.get $z) (local.get $at))
              (f32.mul
                (f32.add
                  (f32.load (i32.add (local.get $z) (local.get $at)))
                  (f32.load (i32.add (local.get $bias) (local.get $at))))
                (if (result f32)
                  (local.get $scale)
                  (then (f32.load (i32.add (local.get $scale) (local.get $at))))
                  (else (f32.const 1)))))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br $one)))
        (local.set $z (i32.add (local.get $z) (local.get $all)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $row))))
  ;; z <- 0 where it is not above 0; NaN stays. Returns how many are left.
  (func
    (export "rectify") (param $z i32) (param $n i32) (result i32) (local $v v128) (local $none v128) (local $left v128)
    (local $end i32) (local $count i32) (local $x f32)
    (local.set $end (i32.add (local.get $z) (i32.shl (i32.and (local.get $n) (i32.const -4)) (i32.const 2))))
    (block $done
      (loop $four
        (br_if $done (i32.ge_u (local.get $z) (local.get $end)))
        (local.set $v (v128.load (local.get $z)))
        (local.set $none (f32x4.le (local.get $v) (v128.const f32x4 0 0 0 0)))
        (local.set $left (i32x4.sub (local.get $left) (v128.not (local.get $none))))
        (v128.store (local.get $z) (v128.andnot (local.get $v) (local.get $none)))
        (local.set $z (i32.add (local.get $z) (i32.const 16)))
        (br $four)))
    (local.set $count
      (i32.add
        (i32.add (i32x4.extract_lane 0 (local.get $left)) (i32x4.extract_lane 1 (local.get $left)))
        (i32.add (i32x4.extract_lane 2 (local.get $left)) (i32x4.extract_lane 3 (local.get $left)))))
    (local.set $end (i32.add (local.get $end) (i32.shl (i32.and (local.get $n) (i32.const 3)) (i32.const 2))))
    (block $done
      (loop $one
        (br_if $done (i32.ge_u (local.get $z) (local.get $end)))
        (if
          (f32.le (f32.load (local.get $z)) (f32.const 0))
          (then (f32.store (local.get $z) (f32.const 0)))
          (else (local.set $count (i32.add (local.get $count) (i32.const 1)))))
        (local.set $z (i32.add (local.get $z) (i32.const 4)))
        (br $one)))
    (local.get $count))
  ;; The entries of n values, in order: which and values. Values are (z + bias) times scale where there is one (not 0). Found are those
  ;; above bound once their bits are masked, of which NaN is none; where there are $least (not 0) those that are not at most the least
  ;; value of their column, NaN with them; with $touched those that are not +0, of z as it is. Returns how many.
  (func
    (export "collect") (param $z i32) (param $n i32) (param $touched i32) (param $bias i32) (param $scale i32)
    (param $least i32) (param $mask i32) (param $bound f32) (param $which i32) (param $values i32) (result i32)
    (local $j i32) (local $hits i32) (local $lane i32) (local $count i32) (local $x v128) (local $v v128)
    (local $m v128) (local $b v128)
    (local.set $m (i32x4.splat (local.get $mask)))
    (local.set $b (f32x4.splat (local.get $bound)))
    (block $done
      (loop $four
        (br_if $done (i32.ge_u (local.get $j) (local.get $n)))
        (local.set $lane (i32.shl (local.get $j) (i32.const 2)))
        (local.set $x (v128.load (i32.add (local.get $z) (local.get $lane))))
        (if
          (local.get $bias)
          (then
            (local.set $x (f32x4.add (local.get $x) (v128.load (i32.add (local.get $bias) (local.get $lane)))))))
        (if
          (local.get $scale)
          (then
            (local.set $x (f32x4.mul (local.get $x) (v128.load (i32.add (local.get $scale) (local.get $lane)))))))
        (local.set $v
          (if (result v128)
            (local.get $touched)
            (then (i32x4.ne (local.get $x) (v128.const i32x4 0 0 0 0)))
            (else
              (if (result v128)
                (local.get $least)
                (then
                  (v128.not
                    (f32x4.le (local.get $x) (v128.load (i32.add (local.get $least) (local.get $lane))))))
                (else (f32x4.gt (v128.and (local.get $x) (local.get $m)) (local.get $b)))))))
        (if
          (v128.any_true (local.get $v))
          (then
            ;; the line before the first array is nobody's
            (v128.store (i32.const 16) (local.get $x))
            (local.set $hits (i32x4.bitmask (local.get $v)))
            (if
              (i32.lt_u (i32.sub (local.get $n) (local.get $j)) (i32.const 4))
              (then
                (local.set $hits
                  (i32.and
                    (local.get $hits)
                    (i32.sub
                      (i32.shl (i32.const 1) (i32.sub (local.get $n) (local.get $j)))
                      (i32.const 1))))))
            (block $none
              (loop $hit
                (br_if $none (i32.eqz (local.get $hits)))
                (local.set $lane (i32.ctz (local.get $hits)))
                (local.set $hits (i32.and (local.get $hits) (i32.sub (local.get $hits) (i32.const 1))))
                (i32.store
                  (i32.add (local.get $which) (i32.shl (local.get $count) (i32.const 2)))
                  (i32.add (local.get $j) (local.get $lane)))
                (f32.store
                  (i32.add (local.get $values) (i32.shl (local.get $count) (i32.const 2)))
                  (f32.load offset=16 (i32.shl (local.get $lane) (i32.const 2))))
                (local.set $count (i32.add (local.get $count) (i32.const 1)))
                (br $hit)))))
        (local.set $j (i32.add (local.get $j) (i32.const 4)))
        (br $four)))
    (local.get $count))
  ;; Candidates of rows of a product of `width` features, from feature `first` on. An entry is o times factor of row and feature, plus the
  ;; bias, its bits masked; o is the product, or where $whole the integers less `zero`. Between `low` and `upper` lies what it estimates:
  ;; reach of row times reach of feature, plus slack, on both sides; low is 0 or more. Those whose upper bound is not below the limit of the
  ;; row are added to its list, which has `room`, 16 of it for what comes last.
  (func
    (export "likely") (param $out i32) (param $rows i32) (param $width i32) (param $first i32) (param $whole i32)
    (param $zero i32) (param $factor i32) (param $bias i32) (param $reach i32) (param $slack i32)
    (param $rowFactor i32) (param $rowReach i32) (param $limits i32) (param $mask i32) (param $room i32)
    (param $counts i32) (param $which i32) (param $uppers i32) (param $lows i32) (local $i i32) (local $j i32)
    (local $at i32) (local $c i32) (local $hits i32) (local $list i32) (local $lane i32) (local $o v128) (local $v v128)
    (local $a v128) (local $r v128) (local $l v128) (local $m v128) (local $e v128)
    (local.set $m (i32x4.splat (local.get $mask)))
    (block $done
      (loop $row
        (br_if $done (i32.ge_u (local.get $i) (local.get $rows)))
        (local.set $at (i32.shl (local.get $i) (i32.const 2)))
        (local.set $a (v128.load32_splat (i32.add (local.get $rowFactor) (local.get $at))))
        (local.set $r (v128.load32_splat (i32.add (local.get $rowReach) (local.get $at))))
        (local.set $l (v128.load32_splat (i32.add (local.get $limits) (local.get $at))))
        (local.set $c (i32.load (i32.add (local.get $counts) (local.get $at))))
        (local.set $list (i32.shl (i32.mul (local.get $i) (local.get $room)) (i32.const 2)))
        (local.set $j (i32.const 0))
        (block $end
          (loop $four
            (br_if $end (i32.ge_u (local.get $j) (local.get $width)))
            (local.set $at (i32.shl (local.get $j) (i32.const 2)))
            (local.set $o (v128.load (i32.add (local.get $out) (local.get $at))))
            (if
              (local.get $whole)
              (then
                (local.set $o
                  (f32x4.convert_i32x4_s
                    (i32x4.sub (local.get $o) (v128.load (i32.add (local.get $zero) (local.get $at))))))))
            (local.set $v
              (v128.and
                (f32x4.add
                  (f32x4.mul
                    (f32x4.mul (local.get $a) (v128.load (i32.add (local.get $factor) (local.get $at))))
                    (local.get $o))
                  (v128.load (i32.add (local.get $bias) (local.get $at))))
                (local.get $m)))
            (local.set $e
              (f32x4.add
                (f32x4.mul (local.get $r) (v128.load (i32.add (local.get $reach) (local.get $at))))
                (v128.load (i32.add (local.get $slack) (local.get $at)))))
            (local.set $hits (i32x4.bitmask (f32x4.ge (f32x4.add (local.get $v) (local.get $e)) (local.get $l))))
            (if
              (i32.lt_u (i32.sub (local.get $width) (local.get $j)) (i32.const 4))
              (then
                (local.set $hits
                  (i32.and
                    (local.get $hits)
                    (i32.sub
                      (i32.shl (i32.const 1) (i32.sub (local.get $width) (local.get $j)))
                      (i32.const 1))))))
            (if
              (local.get $hits)
              (then
                ;; the line before the first array is nobody's
                (v128.store (i32.const 16) (f32x4.add (local.get $v) (local.get $e)))
                (v128.store
                  (i32.const 32)
                  (f32x4.pmax (v128.const f32x4 0 0 0 0) (f32x4.sub (local.get $v) (local.get $e))))
                (loop $hit
                  (local.set $lane (i32.ctz (local.get $hits)))
                  (local.set $hits (i32.and (local.get $hits) (i32.sub (local.get $hits) (i32.const 1))))
                  (local.set $at (i32.add (local.get $list) (i32.shl (local.get $c) (i32.const 2))))
                  (i32.store
                    (i32.add (local.get $which) (local.get $at))
                    (i32.add (i32.add (local.get $first) (local.get $j)) (local.get $lane)))
                  (local.set $lane (i32.shl (local.get $lane) (i32.const 2)))
                  (f32.store (i32.add (local.get $uppers) (local.get $at)) (f32.load offset=16 (local.get $lane)))
                  (f32.store (i32.add (local.get $lows) (local.get $at)) (f32.load offset=32 (local.get $lane)))
                  (local.set $c (i32.add (local.get $c) (i32.const 1)))
                  (br_if $hit (local.get $hits)))))
            (local.set $j (i32.add (local.get $j) (i32.const 4)))
            (br $four)))
        (i32.store (i32.add (local.get $counts) (i32.shl (local.get $i) (i32.const 2))) (local.get $c))
        (local.set $out (i32.add (local.get $out) (i32.shl (local.get $width) (i32.const 2))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $row))))
  ;; Leaves of a list of n those whose upper bound is not below the limit, in their order; returns how many.
  (func
    (export "trim") (param $which i32) (param $uppers i32) (param $lows i32) (param $n i32) (param $limit f32)
    (result i32) (local $at i32) (local $to i32) (local $end i32) (local $u f32)
    (local.set $end (i32.shl (local.get $n) (i32.const 2)))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $u (f32.load (i32.add (local.get $uppers) (local.get $at))))
        (f32.store (i32.add (local.get $uppers) (local.get $to)) (local.get $u))
        (i32.store
          (i32.add (local.get $which) (local.get $to))
          (i32.load (i32.add (local.get $which) (local.get $at))))
        (f32.store
          (i32.add (local.get $lows) (local.get $to))
          (f32.load (i32.add (local.get $lows) (local.get $at))))
        (local.set $to
          (i32.add (local.get $to) (i32.shl (f32.ge (local.get $u) (local.get $limit)) (i32.const 2))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $each)))
    (i32.shr_u (local.get $to) (i32.const 2)))
  ;; The k-th largest of n values once their bits are masked, none of which is negative then: bit by bit, since such numbers order as
  ;; their bits do. Writes zeros over the four values after the last.
  (func
    (export "kth") (param $values i32) (param $n i32) (param $k i32) (param $mask i32) (result f32) (local $bit i32)
    (local $found i32) (local $at i32) (local $end i32) (local $m v128) (local $try v128) (local $above v128)
    (local.set $m (i32x4.splat (local.get $mask)))
    (local.set $end (i32.add (local.get $values) (i32.shl (local.get $n) (i32.const 2))))
    (v128.store (local.get $end) (v128.const i32x4 0 0 0 0))
    (local.set $bit (i32.const 0x40000000))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $bit)))
        (local.set $try (i32x4.splat (i32.or (local.get $found) (local.get $bit))))
        (local.set $above (v128.const i32x4 0 0 0 0))
        (local.set $at (local.get $values))
        (block $counted
          (loop $four
            (br_if $counted (i32.ge_u (local.get $at) (local.get $end)))
            (local.set $above
              (i32x4.sub
                (local.get $above)
                (i32x4.ge_s (v128.and (v128.load (local.get $at)) (local.get $m)) (local.get $try))))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (br $four)))
        (if
          (i32.ge_s
            (i32.add
              (i32.add (i32x4.extract_lane 0 (local.get $above)) (i32x4.extract_lane 1 (local.get $above)))
              (i32.add (i32x4.extract_lane 2 (local.get $above)) (i32x4.extract_lane 3 (local.get $above))))
            (local.get $k))
          (then (local.set $found (i32.or (local.get $found) (local.get $bit)))))
        (local.set $bit (i32.shr_u (local.get $bit) (i32.const 1)))
        (br $next)))
    (f32.reinterpret_i32 (local.get $found)))
  ;; One step of Adam on n values, n a multiple of four: moments m and v, then p; gradients g are multiplied by $clip first. Moments too
  ;; small for a normal number become 0: they would stay there, and slow every later step.
  (func
    (export "adam") (param $p i32) (param $g i32) (param $m i32) (param $v i32) (param $n i32) (param $clip f32)
    (param $beta1 f32) (param $keep1 f32) (param $beta2 f32) (param $keep2 f32) (param $rate f32)
    (param $correction f32) (param $eps f32) (local $end i32) (local $x v128) (local $mean v128) (local $square v128)
    (local.set $end (i32.add (local.get $p) (i32.shl (local.get $n) (i32.const 2))))
    (block $done
      (loop $four
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $x (f32x4.mul (v128.load (local.get $g)) (f32x4.splat (local.get $clip))))
        (local.set $mean
          (call $normal
            (f32x4.add
              (f32x4.mul (f32x4.splat (local.get $beta1)) (v128.load (local.get $m)))
              (f32x4.mul (f32x4.splat (local.get $keep1)) (local.get $x)))))
        (local.set $square
          (call $normal
            (f32x4.add
              (f32x4.mul (f32x4.splat (local.get $beta2)) (v128.load (local.get $v)))
              (f32x4.mul (f32x4.mul (f32x4.splat (local.get $keep2)) (local.get $x)) (local.get $x)))))
        (v128.store (local.get $m) (local.get $mean))
        (v128.store (local.get $v) (local.get $square))
        (v128.store (local.get $p)
          (f32x4.sub
            (v128.load (local.get $p))
            (f32x4.div
              (f32x4.mul (f32x4.splat (local.get $rate)) (local.get $mean))
              (f32x4.add
                (f32x4.mul (f32x4.sqrt (local.get $square)) (f32x4.splat (local.get $correction)))
                (f32x4.splat (local.get $eps))))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (local.set $g (i32.add (local.get $g) (i32.const 16)))
        (local.set $m (i32.add (local.get $m) (i32.const 16)))
        (local.set $v (i32.add (local.get $v) (i32.const 16)))
        (br $four))))
  ;; 0 in the place of numbers below the least normal one; NaN stays.
  (func $normal
    (param $x v128) (result v128)
    (v128.andnot (local.get $x) (f32x4.lt (f32x4.abs (local.get $x)) (f32x4.splat (f32.const 0x1p-126)))))
  ;; The sum of the squares of n values, n a multiple of four, in float64: four sums, added as (s0 + s1) + (s2 + s3).
  (func
    (export "squares") (param $x i32) (param $n i32) (result f64) (local $end i32) (local $f v128) (local $a v128)
    (local $low v128) (local $high v128)
    (local.set $end (i32.add (local.get $x) (i32.shl (local.get $n) (i32.const 2))))
    (block $done
      (loop $four
        (br_if $done (i32.ge_u (local.get $x) (local.get $end)))
        (local.set $f (v128.load (local.get $x)))
        (local.set $a (f64x2.promote_low_f32x4 (local.get $f)))
        (local.set $low (f64x2.add (local.get $low) (f64x2.mul (local.get $a) (local.get $a))))
        (local.set $a
          (f64x2.promote_low_f32x4
            (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $f) (local.get $f))))
        (local.set $high (f64x2.add (local.get $high) (f64x2.mul (local.get $a) (local.get $a))))
        (local.set $x (i32.add (local.get $x) (i32.const 16)))
        (br $four)))
    (f64.add
      (f64.add (f64x2.extract_lane 0 (local.get $low)) (f64x2.extract_lane 1 (local.get $low)))
      (f64.add (f64x2.extract_lane 0 (local.get $high)) (f64x2.extract_lane 1 (local.get $high))))))
