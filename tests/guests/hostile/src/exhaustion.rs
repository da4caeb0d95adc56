//! Takes what there is: time, memory, stack.

use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::http;
use std::hint::black_box;

/// Computes for ever.
pub fn compute() -> ! {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

/// Takes memory in pieces of 1 MiB and writes to each page, until there is no more.
pub fn allocate() -> ! {
    const PIECE: usize = 1 << 20;
    const PAGE: usize = 4096;
    loop {
        let mut piece: Vec<u8> = Vec::new();
        if piece.try_reserve_exact(PIECE).is_err() {
            trap();
        }
        piece.resize(PIECE, 0);
        for byte in piece.iter_mut().step_by(PAGE) {
            *byte = black_box(1);
        }
        std::mem::forget(piece);
    }
}

/// Recurses until the stack ends, which comes before the answer.
pub fn overflow(outparam: ResponseOutparam) {
    let depth = descend(0);
    http::answer(outparam, 200, &format!("came back from {depth}"));
}

#[expect(unconditional_recursion, reason = "that is the point")]
fn descend(depth: u64) -> u64 {
    // Little of a frame lies in linear memory: the stack that ends is the one that the host gives.
    let frame = black_box(depth);
    descend(depth + 1) + frame
}

pub fn trap() -> ! {
    std::process::abort()
}
