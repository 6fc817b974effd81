;; What workers do on the memory they share (memory.ts): an epoch of UMAP's layout, a step of its spectral start, and the neighbours among a
;; tile of a product.
;; scripts/wasm.mjs makes kernels.ts of this.
(module
  (import "e" "m" (memory 1 65536 shared))
  ;; Vertices lo..hi-1 of one epoch, from y0 into y1. Of the others, those below fresh have moved in this epoch: they are read in y1.
  ;; Edges of vertex i: p[i]..p[i+1]-1 in fours, of weight w.
  (func
    (export "epoch") (param $lo i32) (param $hi i32) (param $alpha f32) (param $den f32) (param $n i32)
    (param $fresh i32) (param $key i32) (param $y0 i32) (param $y1 i32) (param $p i32) (param $to i32) (param $w i32) (param $inc i32)
    (param $credit i32) (param $att i32) (param $rep i32) (local $i i32) (local $e i32) (local $end i32)
    (local $xy v128) (local $d v128) (local $q v128) (local $k v128) (local $r v128) (local $dx v128)
    (local $dy v128) (local $a v128) (local $b v128) (local $own v128) (local $cr f32) (local $four v128)
    (local $minus v128) (local $nn v128) (local $sx v128) (local $sy v128) (local $sc v128) (local $step f32)
    (local $moved v128) (local $old v128) (local $new v128)
    (local.set $four (f32x4.splat (f32.const 4)))
    (local.set $minus (f32x4.splat (f32.const -4)))
    (local.set $nn (i32x4.splat (local.get $n)))
    (local.set $moved (i32x4.splat (local.get $fresh)))
    (local.set $old (i32x4.splat (local.get $y0)))
    (local.set $new (i32x4.sub (i32x4.splat (local.get $y1)) (local.get $old)))
    (local.set $i (local.get $lo))
    (block $done
      (loop $vertex
        (br_if $done (i32.ge_u (local.get $i) (local.get $hi)))
        (local.set $xy (v128.load64_zero (i32.add (local.get $y0) (i32.shl (local.get $i) (i32.const 3)))))
        (local.set $e
          (i32.shl (i32.load (i32.add (local.get $p) (i32.shl (local.get $i) (i32.const 2)))) (i32.const 2)))
        (local.set $end
          (i32.shl (i32.load offset=4 (i32.add (local.get $p) (i32.shl (local.get $i) (i32.const 2)))) (i32.const 2)))
        (local.set $sx (v128.const i32x4 0 0 0 0))
        (local.set $sy (local.get $sx))
        (local.set $sc (local.get $sx))
        (block $pulled
          (loop $pull
            (br_if $pulled (i32.ge_u (local.get $e) (local.get $end)))
            (local.set $k (v128.load (i32.add (local.get $to) (local.get $e))))
            ;; where they are
            (local.set $q
              (i32x4.add
                (i32x4.add (local.get $old) (i32x4.shl (local.get $k) (i32.const 3)))
                (v128.and (local.get $new) (i32x4.lt_s (local.get $k) (local.get $moved)))))
            (local.set $a
              (v128.load64_lane 1
                (i32x4.extract_lane 1 (local.get $q))
                (v128.load64_zero (i32x4.extract_lane 0 (local.get $q)))))
            (local.set $b
              (v128.load64_lane 1
                (i32x4.extract_lane 3 (local.get $q))
                (v128.load64_zero (i32x4.extract_lane 2 (local.get $q)))))
            (local.set $dx
              (f32x4.sub
                (f32x4.splat (f32x4.extract_lane 0 (local.get $xy)))
                (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27 (local.get $a) (local.get $b))))
            (local.set $dy
              (f32x4.sub
                (f32x4.splat (f32x4.extract_lane 1 (local.get $xy)))
                (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31 (local.get $a) (local.get $b))))
            (local.set $d
              (f32x4.add (f32x4.mul (local.get $dx) (local.get $dx)) (f32x4.mul (local.get $dy) (local.get $dy))))
            (local.set $q (i32x4.shl (i32x4.shr_u (local.get $d) (i32.const 16)) (i32.const 2)))
            (local.set $q
              (v128.load32_lane 3
                (i32.add (local.get $att) (i32x4.extract_lane 3 (local.get $q)))
                (v128.load32_lane 2
                  (i32.add (local.get $att) (i32x4.extract_lane 2 (local.get $q)))
                  (v128.load32_lane 1
                    (i32.add (local.get $att) (i32x4.extract_lane 1 (local.get $q)))
                    (v128.load32_zero (i32.add (local.get $att) (i32x4.extract_lane 0 (local.get $q))))))))
            (local.set $q (f32x4.mul (local.get $q) (v128.load (i32.add (local.get $w) (local.get $e)))))
            (local.set $sc (f32x4.add (local.get $sc) (local.get $q)))
            (local.set $sx (f32x4.add (local.get $sx) (f32x4.mul (local.get $q) (local.get $dx))))
            (local.set $sy (f32x4.add (local.get $sy) (f32x4.mul (local.get $q) (local.get $dy))))
            (local.set $e (i32.add (local.get $e) (i32.const 16)))
            (br $pull)))
        ;; all pulls at once, in a step damped by their sum: alpha / (1 + den alpha sum c), which the pushes take too
        (local.set $a (local.get $sx))
        (local.set $b (local.get $sy))
        (local.set $a
          (f32x4.add
            (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $a) (local.get $b))
            (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $a) (local.get $b))))
        (local.set $a
          (f32x4.add
            (local.get $a)
            (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $a) (local.get $a))))
        (local.set $sc
          (f32x4.add
            (local.get $sc)
            (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $sc) (local.get $sc))))
        (local.set $step
          (f32.div
            (local.get $alpha)
            (f32.add
              (f32.const 1)
              (f32.mul
                (f32.mul (local.get $den) (local.get $alpha))
                (f32.add (f32x4.extract_lane 0 (local.get $sc)) (f32x4.extract_lane 1 (local.get $sc)))))))
        (local.set $xy
          (f32x4.sub
            (local.get $xy)
            (f32x4.mul (local.get $a) (f32x4.splat (f32.add (local.get $step) (local.get $step))))))
        ;; negative samples in fours: generators keyed by (seed, epoch), vertex and lane
        (local.set $own (i32x4.splat (local.get $i)))
        (local.set $r
          (i32x4.add
            (i32x4.splat (i32.xor (local.get $key) (i32.mul (local.get $i) (i32.const 0x85ebca6b))))
            (v128.const i32x4 0x1b873593 0x3c6ef372 0x5bd1e995 0x7a1d4c2f)))
        (local.set $r
          (i32x4.mul
            (v128.xor (local.get $r) (i32x4.shr_u (local.get $r) (i32.const 16)))
            (i32x4.splat (i32.const 0x7feb352d))))
        (local.set $r
          (i32x4.mul
            (v128.xor (local.get $r) (i32x4.shr_u (local.get $r) (i32.const 15)))
            (i32x4.splat (i32.const 0x846ca68b))))
        (local.set $r
          (v128.or (v128.xor (local.get $r) (i32x4.shr_u (local.get $r) (i32.const 16))) (v128.const i32x4 1 1 1 1)))
        (local.set $cr
          (f32.add
            (f32.load (i32.add (local.get $credit) (i32.shl (local.get $i) (i32.const 2))))
            (f32.load (i32.add (local.get $inc) (i32.shl (local.get $i) (i32.const 2))))))
        (block $paid
          (loop $negative
            (br_if $paid (f32.lt (local.get $cr) (f32.const 4)))
            (local.set $cr (f32.sub (local.get $cr) (f32.const 4)))
            (local.set $r (v128.xor (local.get $r) (i32x4.shl (local.get $r) (i32.const 13))))
            (local.set $r (v128.xor (local.get $r) (i32x4.shr_u (local.get $r) (i32.const 17))))
            (local.set $r (v128.xor (local.get $r) (i32x4.shl (local.get $r) (i32.const 5))))
            (local.set $k
              (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31
                (i64x2.extmul_low_i32x4_u (local.get $r) (local.get $nn))
                (i64x2.extmul_high_i32x4_u (local.get $r) (local.get $nn))))
            ;; where they are
            (local.set $q
              (i32x4.add
                (i32x4.add (local.get $old) (i32x4.shl (local.get $k) (i32.const 3)))
                (v128.and (local.get $new) (i32x4.lt_s (local.get $k) (local.get $moved)))))
            (local.set $a
              (v128.load64_lane 1
                (i32x4.extract_lane 1 (local.get $q))
                (v128.load64_zero (i32x4.extract_lane 0 (local.get $q)))))
            (local.set $b
              (v128.load64_lane 1
                (i32x4.extract_lane 3 (local.get $q))
                (v128.load64_zero (i32x4.extract_lane 2 (local.get $q)))))
            (local.set $dx
              (f32x4.sub
                (f32x4.splat (f32x4.extract_lane 0 (local.get $xy)))
                (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27 (local.get $a) (local.get $b))))
            (local.set $dy
              (f32x4.sub
                (f32x4.splat (f32x4.extract_lane 1 (local.get $xy)))
                (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31 (local.get $a) (local.get $b))))
            (local.set $d
              (f32x4.add (f32x4.mul (local.get $dx) (local.get $dx)) (f32x4.mul (local.get $dy) (local.get $dy))))
            (local.set $q (i32x4.shl (i32x4.shr_u (local.get $d) (i32.const 16)) (i32.const 2)))
            (local.set $q
              (v128.load32_lane 3
                (i32.add (local.get $rep) (i32x4.extract_lane 3 (local.get $q)))
                (v128.load32_lane 2
                  (i32.add (local.get $rep) (i32x4.extract_lane 2 (local.get $q)))
                  (v128.load32_lane 1
                    (i32.add (local.get $rep) (i32x4.extract_lane 1 (local.get $q)))
                    (v128.load32_zero (i32.add (local.get $rep) (i32x4.extract_lane 0 (local.get $q))))))))
            (local.set $a
              (f32x4.pmax
                (local.get $minus)
                (f32x4.pmin (local.get $four) (f32x4.mul (local.get $q) (local.get $dx)))))
            (local.set $b
              (f32x4.pmax
                (local.get $minus)
                (f32x4.pmin (local.get $four) (f32x4.mul (local.get $q) (local.get $dy)))))
            ;; points on top of each other: the clipped maximum; the point itself: nothing
            (local.set $d (f32x4.eq (local.get $d) (v128.const f32x4 0 0 0 0)))
            (local.set $k (i32x4.ne (local.get $k) (local.get $own)))
            (local.set $a (v128.and (local.get $k) (v128.bitselect (local.get $four) (local.get $a) (local.get $d))))
            (local.set $b (v128.and (local.get $k) (v128.bitselect (local.get $four) (local.get $b) (local.get $d))))
            (local.set $a
              (f32x4.add
                (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $a) (local.get $b))
                (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $a) (local.get $b))))
            (local.set $a
              (f32x4.add
                (local.get $a)
                (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $a) (local.get $a))))
            (local.set $xy (f32x4.add (local.get $xy) (f32x4.mul (f32x4.splat (local.get $step)) (local.get $a))))
            (br $negative)))
        (v128.store64_lane 0 (i32.add (local.get $y1) (i32.shl (local.get $i) (i32.const 3))) (local.get $xy))
        (f32.store (i32.add (local.get $credit) (i32.shl (local.get $i) (i32.const 2))) (local.get $cr))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $vertex))))
  ;; Rows lo..hi-1 of y = scale A x - shift x - y, for blocks of eight columns of float64. Entries of row i of A: p[i]..p[i+1]-1.
  (func
    (export "filter") (param $lo i32) (param $hi i32) (param $p i32) (param $to i32) (param $entries i32)
    (param $x i32) (param $y i32) (param $scale f64) (param $shift f64) (local $i i32) (local $e i32) (local $end i32)
    (local $at i32) (local $own i32) (local $w v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $scales v128) (local $shifts v128)
    (local.set $scales (f64x2.splat (local.get $scale)))
    (local.set $shifts (f64x2.splat (local.get $shift)))
    (local.set $i (local.get $lo))
    (block $done
      (loop $row
        (br_if $done (i32.ge_u (local.get $i) (local.get $hi)))
        (local.set $at (i32.add (local.get $p) (i32.shl (local.get $i) (i32.const 2))))
        (local.set $e (i32.load (local.get $at)))
        (local.set $end (i32.load offset=4 (local.get $at)))
        (local.set $a (v128.const i32x4 0 0 0 0))
        (local.set $b (v128.const i32x4 0 0 0 0))
        (local.set $c (v128.const i32x4 0 0 0 0))
        (local.set $d (v128.const i32x4 0 0 0 0))
        (block $summed
          (loop $entry
            (br_if $summed (i32.ge_u (local.get $e) (local.get $end)))
            (local.set $w (v128.load64_splat (i32.add (local.get $entries) (i32.shl (local.get $e) (i32.const 3)))))
            (local.set $at
              (i32.add
                (local.get $x)
                (i32.shl (i32.load (i32.add (local.get $to) (i32.shl (local.get $e) (i32.const 2)))) (i32.const 6))))
            (local.set $a (f64x2.add (local.get $a) (f64x2.mul (local.get $w) (v128.load offset=0 (local.get $at)))))
            (local.set $b (f64x2.add (local.get $b) (f64x2.mul (local.get $w) (v128.load offset=16 (local.get $at)))))
            (local.set $c (f64x2.add (local.get $c) (f64x2.mul (local.get $w) (v128.load offset=32 (local.get $at)))))
            (local.set $d (f64x2.add (local.get $d) (f64x2.mul (local.get $w) (v128.load offset=48 (local.get $at)))))
            (local.set $e (i32.add (local.get $e) (i32.const 1)))
            (br $entry)))
        (local.set $own (i32.add (local.get $x) (i32.shl (local.get $i) (i32.const 6))))
        (local.set $at (i32.add (local.get $y) (i32.shl (local.get $i) (i32.const 6))))
        (v128.store offset=0
          (local.get $at)
          (f64x2.sub
            (f64x2.sub
              (f64x2.mul (local.get $scales) (local.get $a))
              (f64x2.mul (local.get $shifts) (v128.load offset=0 (local.get $own))))
            (v128.load offset=0 (local.get $at))))
        (v128.store offset=16
          (local.get $at)
          (f64x2.sub
            (f64x2.sub
              (f64x2.mul (local.get $scales) (local.get $b))
              (f64x2.mul (local.get $shifts) (v128.load offset=16 (local.get $own))))
            (v128.load offset=16 (local.get $at))))
        (v128.store offset=32
          (local.get $at)
          (f64x2.sub
            (f64x2.sub
              (f64x2.mul (local.get $scales) (local.get $c))
              (f64x2.mul (local.get $shifts) (v128.load offset=32 (local.get $own))))
            (v128.load offset=32 (local.get $at))))
        (v128.store offset=48
          (local.get $at)
          (f64x2.sub
            (f64x2.sub
              (f64x2.mul (local.get $scales) (local.get $d))
              (f64x2.mul (local.get $shifts) (v128.load offset=48 (local.get $own))))
            (v128.load offset=48 (local.get $at))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $row))))
  ;; Squared distances (0) or products (1) of a row of d float32 and two others, in float64, to out: four sums that take every fourth column
  ;; each, the last columns to the first, added as (s0 + s1) + (s2 + s3). knnSide.ts has the same sums in JavaScript, to the bit. Two rows at a
  ;; time, since one's additions would wait for each other.
  (func
    (export "exact") (param $a i32) (param $b i32) (param $c i32) (param $d i32) (param $product i32) (param $out i32)
    (local $end i32) (local $low v128) (local $high v128) (local $u v128) (local $v v128) (local $s v128) (local $r v128)
    (local $t v128) (local $w v128) (local $bs f64) (local $cs f64)
    (local.set $end (i32.add (local.get $a) (i32.shl (i32.and (local.get $d) (i32.const -4)) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $a) (local.get $end)))
        (local.set $low (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $a))))
        (local.set $high (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $a))))
        (local.set $u (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $b))))
        (local.set $v (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $b))))
        (if
          (local.get $product)
          (then
            (local.set $s (f64x2.add (local.get $s) (f64x2.mul (local.get $low) (local.get $u))))
            (local.set $r (f64x2.add (local.get $r) (f64x2.mul (local.get $high) (local.get $v)))))
          (else
            (local.set $u (f64x2.sub (local.get $low) (local.get $u)))
            (local.set $v (f64x2.sub (local.get $high) (local.get $v)))
            (local.set $s (f64x2.add (local.get $s) (f64x2.mul (local.get $u) (local.get $u))))
            (local.set $r (f64x2.add (local.get $r) (f64x2.mul (local.get $v) (local.get $v))))))
        (local.set $u (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $c))))
        (local.set $v (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $c))))
        (if
          (local.get $product)
          (then
            (local.set $t (f64x2.add (local.get $t) (f64x2.mul (local.get $low) (local.get $u))))
            (local.set $w (f64x2.add (local.get $w) (f64x2.mul (local.get $high) (local.get $v)))))
          (else
            (local.set $u (f64x2.sub (local.get $low) (local.get $u)))
            (local.set $v (f64x2.sub (local.get $high) (local.get $v)))
            (local.set $t (f64x2.add (local.get $t) (f64x2.mul (local.get $u) (local.get $u))))
            (local.set $w (f64x2.add (local.get $w) (f64x2.mul (local.get $v) (local.get $v))))))
        (local.set $a (i32.add (local.get $a) (i32.const 16)))
        (local.set $b (i32.add (local.get $b) (i32.const 16)))
        (local.set $c (i32.add (local.get $c) (i32.const 16)))
        (br $next)))
    (local.set $bs (f64x2.extract_lane 0 (local.get $s)))
    (local.set $cs (f64x2.extract_lane 0 (local.get $t)))
    (local.set $end (i32.add (local.get $end) (i32.shl (i32.and (local.get $d) (i32.const 3)) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $a) (local.get $end)))
        (local.set $bs (f64.add (local.get $bs) (call $term (local.get $a) (local.get $b) (local.get $product))))
        (local.set $cs (f64.add (local.get $cs) (call $term (local.get $a) (local.get $c) (local.get $product))))
        (local.set $a (i32.add (local.get $a) (i32.const 4)))
        (local.set $b (i32.add (local.get $b) (i32.const 4)))
        (local.set $c (i32.add (local.get $c) (i32.const 4)))
        (br $next)))
    (f64.store
      (local.get $out)
      (f64.add
        (f64.add (local.get $bs) (f64x2.extract_lane 1 (local.get $s)))
        (f64.add (f64x2.extract_lane 0 (local.get $r)) (f64x2.extract_lane 1 (local.get $r)))))
    (f64.store offset=8
      (local.get $out)
      (f64.add
        (f64.add (local.get $cs) (f64x2.extract_lane 1 (local.get $t)))
        (f64.add (f64x2.extract_lane 0 (local.get $w)) (f64x2.extract_lane 1 (local.get $w))))))
  (func $term (param $a i32) (param $b i32) (param $product i32) (result f64) (local $x f64) (local $y f64)
    (local.set $x (f64.promote_f32 (f32.load (local.get $a))))
    (local.set $y (f64.promote_f32 (f32.load (local.get $b))))
    (if
      (i32.eqz (local.get $product))
      (then
        (local.set $x (f64.sub (local.get $x) (local.get $y)))
        (local.set $y (local.get $x))))
    (f64.mul (local.get $x) (local.get $y)))
  ;; Adds rows of d float32 to sums by column, and widens the columns' bounds; past the last column these mean nothing.
  (func
    (export "columns") (param $x i32) (param $rows i32) (param $d i32) (param $sums i32) (param $least i32) (param $most i32)
    (local $j i32) (local $at i32) (local $a v128)
    (loop $row
      (local.set $j (i32.const 0))
      (block $done
        (loop $four
          (br_if $done (i32.ge_u (local.get $j) (local.get $d)))
          (local.set $at (i32.shl (local.get $j) (i32.const 2)))
          (local.set $a (v128.load (i32.add (local.get $x) (local.get $at))))
          (v128.store
            (i32.add (local.get $least) (local.get $at))
            (f32x4.pmin (v128.load (i32.add (local.get $least) (local.get $at))) (local.get $a)))
          (v128.store
            (i32.add (local.get $most) (local.get $at))
            (f32x4.pmax (v128.load (i32.add (local.get $most) (local.get $at))) (local.get $a)))
          (local.set $at (i32.add (local.get $sums) (i32.shl (local.get $j) (i32.const 3))))
          (v128.store
            (local.get $at)
            (f64x2.add (v128.load (local.get $at)) (f64x2.promote_low_f32x4 (local.get $a))))
          (v128.store offset=16
            (local.get $at)
            (f64x2.add
              (v128.load offset=16 (local.get $at))
              (f64x2.promote_low_f32x4 (call $upper (local.get $a)))))
          (local.set $j (i32.add (local.get $j) (i32.const 4)))
          (br $four)))
      (local.set $x (i32.add (local.get $x) (i32.shl (local.get $d) (i32.const 2))))
      (br_if $row (local.tee $rows (i32.sub (local.get $rows) (i32.const 1))))))
  ;; A row of d float32 times a factor less a shift of float64, to v in float32, on to a full four with zeros; behind it its largest size.
  ;; The sum of its squares in float64.
  (func
    (export "shift") (param $x i32) (param $d i32) (param $shift i32) (param $factor f64) (param $v i32) (result f64)
    (local $j i32) (local $at i32) (local $a v128) (local $f v128) (local $most v128) (local $s v128) (local $r v128)
    (local.set $f (f64x2.splat (local.get $factor)))
    (block $done
      (loop $four
        (br_if $done (i32.ge_u (local.get $j) (local.get $d)))
        (local.set $at (i32.add (local.get $shift) (i32.shl (local.get $j) (i32.const 3))))
        (local.set $a (v128.load (i32.add (local.get $x) (i32.shl (local.get $j) (i32.const 2)))))
        (local.set $a
          (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23
            (f32x4.demote_f64x2_zero
              (f64x2.sub
                (f64x2.mul (f64x2.promote_low_f32x4 (local.get $a)) (local.get $f))
                (v128.load (local.get $at))))
            (f32x4.demote_f64x2_zero
              (f64x2.sub
                (f64x2.mul (f64x2.promote_low_f32x4 (call $upper (local.get $a))) (local.get $f))
                (v128.load offset=16 (local.get $at))))))
        (if
          (i32.lt_u (i32.sub (local.get $d) (local.get $j)) (i32.const 4))
          (then
            (local.set $a
              (v128.and
                (local.get $a)
                (i32x4.lt_s
                  (v128.const i32x4 0 1 2 3)
                  (i32x4.splat (i32.sub (local.get $d) (local.get $j))))))))
        (v128.store (i32.add (local.get $v) (i32.shl (local.get $j) (i32.const 2))) (local.get $a))
        (local.set $most (f32x4.pmax (local.get $most) (f32x4.abs (local.get $a))))
        (local.set $s (call $product (local.get $s) (local.get $a) (local.get $a)))
        (local.set $a (call $upper (local.get $a)))
        (local.set $r (call $product (local.get $r) (local.get $a) (local.get $a)))
        (local.set $j (i32.add (local.get $j) (i32.const 4)))
        (br $four)))
    (f32.store
      (i32.add (local.get $v) (i32.shl (local.get $j) (i32.const 2)))
      (f32.max
        (f32.max (f32x4.extract_lane 0 (local.get $most)) (f32x4.extract_lane 1 (local.get $most)))
        (f32.max (f32x4.extract_lane 2 (local.get $most)) (f32x4.extract_lane 3 (local.get $most)))))
    (local.set $s (f64x2.add (local.get $s) (local.get $r)))
    (f64.add (f64x2.extract_lane 0 (local.get $s)) (f64x2.extract_lane 1 (local.get $s))))
  (func $upper (param $a v128) (result v128)
    (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $a) (local.get $a)))
  ;; sum + a b of the lower two float32, in float64
  (func $product (param $sum v128) (param $a v128) (param $b v128) (result v128)
    (f64x2.add
      (local.get $sum)
      (f64x2.mul (f64x2.promote_low_f32x4 (local.get $a)) (f64x2.promote_low_f32x4 (local.get $b)))))
  ;; The whole numbers q next to a row v of d float32 times `to`, to q, and with `zero` added to them, to left. v and left go on to a full
  ;; four, of zeros in v. To sums, in float64: the products of v and q, the squares of q, q.
  (func
    (export "whole") (param $v i32) (param $d i32) (param $to f32) (param $q i32) (param $left i32) (param $zero i32)
    (param $sums i32) (local $at i32) (local $a v128) (local $n v128) (local $w v128) (local $s v128) (local $r v128)
    (local $qq v128) (local $sum v128)
    (block $done
      (loop $four
        (br_if $done (i32.ge_u (local.get $at) (local.get $d)))
        (local.set $a (v128.load (i32.add (local.get $v) (i32.shl (local.get $at) (i32.const 2)))))
        (local.set $n (f32x4.nearest (f32x4.mul (local.get $a) (f32x4.splat (local.get $to)))))
        (local.set $w (i32x4.trunc_sat_f32x4_s (local.get $n)))
        (local.set $qq (i32x4.add (local.get $qq) (i32x4.mul (local.get $w) (local.get $w))))
        (local.set $sum (i32x4.add (local.get $sum) (local.get $w)))
        (local.set $s (call $product (local.get $s) (local.get $a) (local.get $n)))
        (local.set $r
          (call $product
            (local.get $r)
            (call $upper (local.get $a))
            (call $upper (local.get $n))))
        (local.set $w (i16x8.narrow_i32x4_s (local.get $w) (local.get $w)))
        (local.set $w (i8x16.narrow_i16x8_s (local.get $w) (local.get $w)))
        (v128.store32_lane 0 (i32.add (local.get $q) (local.get $at)) (local.get $w))
        (v128.store32_lane 0
          (i32.add (local.get $left) (local.get $at))
          (i8x16.add (local.get $w) (i8x16.splat (local.get $zero))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $four)))
    (local.set $s (f64x2.add (local.get $s) (local.get $r)))
    (f64.store
      (local.get $sums)
      (f64.add (f64x2.extract_lane 0 (local.get $s)) (f64x2.extract_lane 1 (local.get $s))))
    (f64.store offset=8 (local.get $sums) (f64.convert_i32_s (call $total (local.get $qq))))
    (f64.store offset=16 (local.get $sums) (f64.convert_i32_s (call $total (local.get $sum)))))
  (func $total (param $a v128) (result i32)
    (i32.add
      (i32.add (i32x4.extract_lane 0 (local.get $a)) (i32x4.extract_lane 1 (local.get $a)))
      (i32.add (i32x4.extract_lane 2 (local.get $a)) (i32x4.extract_lane 3 (local.get $a)))))
  ;; How many of the scores from `at` to `end`, in fours, are below a bound.
  (func $below (param $at i32) (param $end i32) (param $bound f32) (result i32) (local $c v128)
    (loop $four
      (local.set $c
        (i32x4.sub (local.get $c) (f32x4.lt (v128.load (local.get $at)) (f32x4.splat (local.get $bound)))))
      (br_if $four (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))
    (call $total (local.get $c)))
  ;; Drops the worse of a full list of candidates: those that are left, between a half and five eighths of the list, are all that score below
  ;; the row's new limit. Where too many score the same, a half is left, some of which score as the limit itself.
  (func $trim
    (param $scores i32) (param $found i32) (param $room i32) (param $limit i32) (param $count i32) (local $end i32)
    (local $kept i32) (local $c i32) (local $at i32) (local $to i32) (local $tied i32) (local $low f32) (local $high f32)
    (local $middle f32) (local $score f32) (local $a v128) (local $b v128)
    (local.set $kept (i32.shr_u (local.get $room) (i32.const 1)))
    (local.set $end (i32.add (local.get $scores) (i32.shl (local.get $room) (i32.const 2))))
    (local.set $a (v128.load (local.get $scores)))
    (local.set $b (local.get $a))
    (local.set $at (local.get $scores))
    (loop $four
      (local.set $a (f32x4.pmin (local.get $a) (v128.load (local.get $at))))
      (local.set $b (f32x4.pmax (local.get $b) (v128.load (local.get $at))))
      (br_if $four (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))
    (local.set $low
      (f32.min
        (f32.min (f32x4.extract_lane 0 (local.get $a)) (f32x4.extract_lane 1 (local.get $a)))
        (f32.min (f32x4.extract_lane 2 (local.get $a)) (f32x4.extract_lane 3 (local.get $a)))))
    (local.set $high
      (f32.max
        (f32.max (f32x4.extract_lane 0 (local.get $b)) (f32x4.extract_lane 1 (local.get $b)))
        (f32.max (f32x4.extract_lane 2 (local.get $b)) (f32x4.extract_lane 3 (local.get $b)))))
    (block $bounded
      ;; Fewer than a half are below the lowest; of the highest that is not known yet.
      (local.set $middle (local.get $high))
      (loop $halve
        (local.set $c (call $below (local.get $scores) (local.get $end) (local.get $middle)))
        (if
          (i32.lt_u (local.get $c) (local.get $kept))
          (then
            (local.set $low (local.get $middle))
            ;; too few below the highest itself: those that are left out score as it
            (if (f32.ge (local.get $low) (local.get $high)) (then (local.set $tied (i32.const 1)) (br $bounded))))
          (else
            (br_if $bounded
              (i32.le_u (local.get $c) (i32.add (local.get $kept) (i32.shr_u (local.get $kept) (i32.const 2)))))
            (local.set $high (local.get $middle))))
        (local.set $middle
          (f32.add (f32.mul (local.get $low) (f32.const 0.5)) (f32.mul (local.get $high) (f32.const 0.5))))
        (br_if $halve
          (i32.and
            (f32.gt (local.get $middle) (local.get $low))
            (f32.lt (local.get $middle) (local.get $high)))))
      ;; no number is between them: too many score as the lower one
      (local.set $middle (local.get $low))
      (local.set $tied (i32.const 1)))
    (f32.store (local.get $limit) (local.get $middle))
    (if
      (local.get $tied)
      (then
        (local.set $tied
          (i32.sub
            (local.get $kept)
            (call $below (local.get $scores) (local.get $end) (local.get $middle))))))
    (local.set $c (i32.const 0))
    (local.set $at (local.get $scores))
    (local.set $to (i32.const 0))
    (loop $each
      (local.set $score (f32.load (local.get $at)))
      (f32.store (i32.add (local.get $scores) (local.get $to)) (local.get $score))
      (i32.store
        (i32.add (local.get $found) (local.get $to))
        (i32.load (i32.add (local.get $found) (i32.shl (local.get $c) (i32.const 2)))))
      (if
        (i32.and (i32.ne (local.get $tied) (i32.const 0)) (f32.eq (local.get $score) (local.get $middle)))
        (then
          (local.set $tied (i32.sub (local.get $tied) (i32.const 1)))
          (local.set $to (i32.add (local.get $to) (i32.const 4))))
        (else
          (local.set $to
            (i32.add (local.get $to) (i32.shl (f32.lt (local.get $score) (local.get $middle)) (i32.const 2))))))
      (local.set $c (i32.add (local.get $c) (i32.const 1)))
      (br_if $each (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (local.get $end))))
    (i32.store (local.get $count) (i32.shr_u (local.get $to) (i32.const 2))))
  ;; Takes a candidate of a row; a list that is full is trimmed. Lists have room for a multiple of four.
  (func $keep
    (param $row i32) (param $index i32) (param $score f32) (param $room i32) (param $counts i32) (param $scores i32)
    (param $found i32) (param $limits i32) (local $c i32) (local $list i32) (local $at i32)
    (local.set $row (i32.shl (local.get $row) (i32.const 2)))
    (local.set $counts (i32.add (local.get $counts) (local.get $row)))
    (local.set $c (i32.load (local.get $counts)))
    (i32.store (local.get $counts) (i32.add (local.get $c) (i32.const 1)))
    (local.set $list (i32.mul (local.get $row) (local.get $room)))
    (local.set $scores (i32.add (local.get $scores) (local.get $list)))
    (local.set $found (i32.add (local.get $found) (local.get $list)))
    (local.set $at (i32.shl (local.get $c) (i32.const 2)))
    (f32.store (i32.add (local.get $scores) (local.get $at)) (local.get $score))
    (i32.store (i32.add (local.get $found) (local.get $at)) (local.get $index))
    (if
      (i32.eq (i32.add (local.get $c) (i32.const 1)) (local.get $room))
      (then
        (call $trim
          (local.get $scores)
          (local.get $found)
          (local.get $room)
          (i32.add (local.get $limits) (local.get $row))
          (local.get $counts)))))
  ;; Entries of a tile: score of (i, j) = squares[i] + squares[j] - 2 scaleA[i] scaleB[j] out', for both rows; out' = out - zero[j] where whole (integers), else out; with diag only j > i.
  (func
    (export "scan") (param $out i32) (param $i0 i32) (param $rows i32) (param $j0 i32) (param $width i32)
    (param $diag i32) (param $whole i32) (param $sq i32) (param $sa i32) (param $sb i32) (param $zero i32)
    (param $limits i32) (param $room i32) (param $counts i32) (param $scores i32) (param $found i32)
    (param $scratch i32) (local $i i32) (local $j i32) (local $b i32) (local $own i32) (local $mask i32)
    (local $lane i32) (local $score f32) (local $v v128) (local $s v128) (local $f v128) (local $l v128)
    (local $o v128)
    (loop $row
      (local.set $own (i32.add (local.get $i0) (local.get $i)))
      (local.set $b (i32.shl (local.get $own) (i32.const 2)))
      (local.set $s (v128.load32_splat (i32.add (local.get $sq) (local.get $b))))
      (local.set $f (v128.load32_splat (i32.add (local.get $sa) (local.get $b))))
      (local.set $f (f32x4.add (local.get $f) (local.get $f)))
      (local.set $l (v128.load32_splat (i32.add (local.get $limits) (local.get $b))))
      (local.set $j
        (select (i32.and (i32.add (local.get $i) (i32.const 1)) (i32.const -4)) (i32.const 0) (local.get $diag)))
      (block $end
        (loop $four
          (br_if $end (i32.ge_u (local.get $j) (local.get $width)))
          (local.set $b (i32.shl (i32.add (local.get $j0) (local.get $j)) (i32.const 2)))
          (local.set $o
            (v128.load
              (i32.add
                (local.get $out)
                (i32.shl (i32.add (i32.mul (local.get $i) (local.get $width)) (local.get $j)) (i32.const 2)))))
          (if
            (local.get $whole)
            (then
              (local.set $o
                (f32x4.convert_i32x4_s
                  (i32x4.sub (local.get $o) (v128.load (i32.add (local.get $zero) (local.get $b))))))))
          (local.set $v
            (f32x4.sub
              (f32x4.add (local.get $s) (v128.load (i32.add (local.get $sq) (local.get $b))))
              (f32x4.mul
                (f32x4.mul (local.get $f) (v128.load (i32.add (local.get $sb) (local.get $b))))
                (local.get $o))))
          (if
            (v128.any_true
              (f32x4.lt
                (local.get $v)
                (f32x4.max (local.get $l) (v128.load (i32.add (local.get $limits) (local.get $b))))))
            (then
              (local.set $mask
                (i32x4.bitmask
                  (f32x4.lt
                    (local.get $v)
                    (f32x4.max (local.get $l) (v128.load (i32.add (local.get $limits) (local.get $b)))))))
              (if
                (i32.lt_u (i32.sub (local.get $width) (local.get $j)) (i32.const 4))
                (then
                  (local.set $mask
                    (i32.and
                      (local.get $mask)
                      (i32.sub (i32.shl (i32.const 1) (i32.sub (local.get $width) (local.get $j))) (i32.const 1))))))
              (if
                (i32.and (local.get $diag) (i32.le_u (local.get $j) (local.get $i)))
                (then
                  (local.set $mask
                    (i32.and
                      (local.get $mask)
                      (i32.shl (i32.const -1) (i32.sub (i32.add (local.get $i) (i32.const 1)) (local.get $j)))))))
              (v128.store (local.get $scratch) (local.get $v))
              (block $none
                (loop $hit
                  (br_if $none (i32.eqz (local.get $mask)))
                  (local.set $lane (i32.ctz (local.get $mask)))
                  (local.set $mask (i32.and (local.get $mask) (i32.sub (local.get $mask) (i32.const 1))))
                  (local.set $score
                    (f32.load (i32.add (local.get $scratch) (i32.shl (local.get $lane) (i32.const 2)))))
                  (local.set $lane (i32.add (i32.add (local.get $j0) (local.get $j)) (local.get $lane)))
                  (if
                    (f32.lt
                      (local.get $score)
                      (f32.load (i32.add (local.get $limits) (i32.shl (local.get $own) (i32.const 2)))))
                    (then
                      (call $keep
                        (local.get $own)
                        (local.get $lane)
                        (local.get $score)
                        (local.get $room)
                        (local.get $counts)
                        (local.get $scores)
                        (local.get $found)
                        (local.get $limits))
                      (local.set $l
                        (v128.load32_splat (i32.add (local.get $limits) (i32.shl (local.get $own) (i32.const 2)))))))
                  (if
                    (f32.lt
                      (local.get $score)
                      (f32.load (i32.add (local.get $limits) (i32.shl (local.get $lane) (i32.const 2)))))
                    (then
                      (call $keep
                        (local.get $lane)
                        (local.get $own)
                        (local.get $score)
                        (local.get $room)
                        (local.get $counts)
                        (local.get $scores)
                        (local.get $found)
                        (local.get $limits))))
                  (br $hit)))))
          (local.set $j (i32.add (local.get $j) (i32.const 4)))
          (br $four)))
      (br_if $row (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $rows))))))
