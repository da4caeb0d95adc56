//! Randomness that is the same in every replay.

use sha2::{Digest, Sha256};

/// Randomness that is the same in every replay: SHA-256 over seed and counter. Histories depend on it, so it is spelled out here and comes from no generator whose
/// algorithm a library may change.
#[derive(Debug)]
pub struct Random {
    seed: [u8; 32],
    block: u64,
    left: Vec<u8>,
}

impl Random {
    /// The randomness of a seed; that of a workflow is the ID of its execution.
    #[must_use]
    pub fn new(seed: &str) -> Self {
        Self {
            seed: Sha256::digest(seed.as_bytes()).into(),
            block: 0,
            left: Vec::new(),
        }
    }

    /// The next bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.left.len() < count {
            let hash = Sha256::new()
                .chain_update(self.seed)
                .chain_update(self.block.to_be_bytes())
                .finalize();
            self.block += 1;
            self.left.extend_from_slice(&hash);
        }
        self.left.drain(..count).collect()
    }
}
