//! Reading all keys of an input.
//!
//! Border: which keys are passed over and which faults end the reading, and the bound on work.

use super::entity::Entity;
use super::error::Fault;
use super::packets::{Counted, Packet, Packets};
use super::public_key::PublicKey;

/// What the signatures that are verified while one input is read may cost: a bound on work. Certifications by others are
/// not verified.
const MAX_COST: usize = 2_048;

/// What the blocks of one file have used up of what is allowed to all of them.
#[derive(Debug, Default)]
pub(super) struct Budget {
    cost: usize,
    counted: Counted,
}

impl Budget {
    /// Pays for verifying one signature of a key: 1 for the algorithms of aws-lc and for Ed25519, 4 for the others.
    pub(super) fn spend(&mut self, key: &PublicKey) -> Result<(), Fault> {
        let cost = if key.is_fast() { 1 } else { 4 };
        let too_much = Fault::TooMuch { what: "signatures", limit: MAX_COST / cost };
        self.cost += cost;
        if self.cost > MAX_COST { Err(too_much) } else { Ok(()) }
    }
}

/// Reads every key of an input. Keys that cannot be read are passed over, as long as one can.
pub(super) fn read_all(input: &[u8], budget: &mut Budget) -> Result<Vec<Entity>, Fault> {
    let mut packets = Packets::after(budget.counted, input);
    let mut entities = Vec::new();
    let mut passed_over = None;
    loop {
        match Entity::read(&mut packets, budget) {
            Ok(Some(entity)) => entities.push(entity),
            Ok(None) => break,
            Err(fault @ (Fault::Unsupported(_) | Fault::Structural(_))) => {
                passed_over = Some(fault);
                if !skip_to_next_key(&mut packets)? {
                    break;
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    budget.counted = packets.so_far();
    match passed_over {
        Some(fault) if entities.is_empty() => Err(fault),
        _ => Ok(entities),
    }
}

/// Whether there is another public key.
fn skip_to_next_key(packets: &mut Packets<'_>) -> Result<bool, Fault> {
    while let Some(packet) = packets.next()? {
        if matches!(&packet, Packet::Key(key) if !key.subkey && !key.secret) {
            packets.unread(packet);
            return Ok(true);
        }
    }
    Ok(false)
}
