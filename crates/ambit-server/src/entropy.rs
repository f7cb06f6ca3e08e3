//! The system's randomness: the only place that asks the system for it.

use std::cell::RefCell;

use ambit_core::entropy::Entropy;
use zeroize::Zeroize as _;

/// The operating system's random number generator.
///
/// Identifiers are drawn many times for each request, and a system call each time would cost more than all else that a
/// request does with them. Small draws therefore come from a block that each thread fetches ahead; what was drawn is wiped
/// from it. Anything as long as a key or a secret comes from the system itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > FROM_BLOCK {
            return system(bytes);
        }
        BLOCK.with_borrow_mut(|block| block.draw(bytes));
    }
}

struct Block {
    random: [u8; BLOCK_LEN],
    drawn: usize,
}

impl Block {
    fn draw(&mut self, bytes: &mut [u8]) {
        if BLOCK_LEN - self.drawn < bytes.len() {
            system(&mut self.random);
            self.drawn = 0;
        }
        let taken = &mut self.random[self.drawn..self.drawn + bytes.len()];
        bytes.copy_from_slice(taken);
        taken.zeroize();
        self.drawn += bytes.len();
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.random.zeroize();
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the randomness that everybody else is handed")]
fn system(bytes: &mut [u8]) {
    // A system without randomness cannot make a key, a secret or an identifier: there is nothing to go on with.
    getrandom::fill(bytes).expect("the operating system has random numbers");
}

thread_local! {
    static BLOCK: RefCell<Block> = const { RefCell::new(Block { random: [0; BLOCK_LEN], drawn: BLOCK_LEN }) };
}

const BLOCK_LEN: usize = 1024;
/// An identifier needs 10 octets, a trace id 16, a nonce 12; secrets and keys need 32.
const FROM_BLOCK: usize = 16;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_draw_is_like_another_across_the_ends_of_blocks() {
        for len in [10, 16, 17, 32] {
            let mut seen = HashSet::new();
            for _ in 0..1000 {
                let mut bytes = vec![0; len];
                SystemEntropy.fill(&mut bytes);
                assert!(seen.insert(bytes));
            }
        }
        SystemEntropy.fill(&mut []);
    }

    #[test]
    fn what_was_drawn_is_wiped() {
        let mut block = Block { random: [0; BLOCK_LEN], drawn: BLOCK_LEN };
        let mut bytes = [0; 16];
        block.draw(&mut bytes);
        assert_ne!(bytes, [0; 16]);
        assert_eq!(block.random[..16], [0; 16]);
        assert_ne!(block.random[16..], [0; BLOCK_LEN - 16]);
    }
}
