//! A stored tile against the one that its leaves come to.
//!
//! Border: no access to the store.

use tlog::{HalfTile, Hash, Tile};

use super::finding::Finding;
use super::reads::Readable;
use crate::store::FullTile;

/// The first difference of each column.
pub(super) fn differences(tile: &Tile, stored: &Readable<Option<FullTile>>) -> Vec<Finding> {
    let id = tile.id();
    let absent = |what: &str| vec![Finding::tile(id, None, "a full tile".into(), what.into())];
    let stored = match stored {
        Ok(Some(stored)) => stored,
        Ok(None) => return absent("none"),
        Err(what) => return absent(what),
    };
    let mut findings = Vec::new();
    if let Some((place, expected, found)) = first_difference(tile.hashes(), &stored.hashes) {
        findings.push(Finding::tile(id, place, expected, found));
    }
    // Earlier versions did not store it.
    let Some(found) = &stored.upper else { return findings };
    let upper = HalfTile::upper(tile).filter(|_| id.level == 0);
    let expected = upper.as_ref().map_or(&[][..], HalfTile::hashes);
    if let Some((place, expected, found)) = first_difference(expected, found) {
        findings.push(Finding::upper_half(id, place, expected, found));
    }
    findings
}

/// Place, expected and found hash where stored ones first differ from what they must be; no place
/// where it is their number.
fn first_difference(expected: &[Hash], found: &[u8]) -> Option<(Option<usize>, String, String)> {
    let length = expected.len() * 32;
    if found.len() != length {
        return Some((None, format!("{length} bytes"), format!("{} bytes", found.len())));
    }
    let mut pairs = expected.iter().zip(found.as_chunks::<32>().0).enumerate();
    let (place, (expected, found)) =
        pairs.find(|(_, (expected, found))| expected.as_bytes() != *found)?;
    Some((Some(place), expected.to_string(), Hash::from(*found).to_string()))
}

#[cfg(test)]
mod tests {
    use tlog::TileId;

    use super::*;

    fn full(level: u8) -> (Tile, FullTile) {
        let bytes: Vec<u8> = (0..=255).flat_map(|n| [n; 32]).collect();
        let id = TileId { level, index: 2 };
        let tile = Tile::from_bytes(id, &bytes).unwrap();
        let upper = HalfTile::upper(&tile).map(|half| half.to_bytes());
        (tile, FullTile { id, hashes: bytes, upper })
    }

    fn sentences(tile: &Tile, stored: Option<FullTile>) -> Vec<String> {
        differences(tile, &Ok(stored)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_right_is_not_named() {
        let (tile, mut stored) = full(0);
        assert!(sentences(&tile, Some(stored.clone())).is_empty());
        stored.upper = None;
        assert!(sentences(&tile, Some(stored)).is_empty());
    }

    #[test]
    fn a_tile_that_is_not_there_is_named() {
        let expected = "entries 512 to 767: tiles.hashes: expected a full tile, found none";
        assert_eq!(sentences(&full(0).0, None), [expected]);
        let unreadable = differences(&full(0).0, &Err("tile 0/2 has 8191 bytes".to_owned()));
        let expected = expected.replace("none", "tile 0/2 has 8191 bytes");
        assert_eq!(unreadable[0].to_string(), expected);
    }

    #[test]
    fn too_few_bytes_are_named() {
        let (tile, mut stored) = full(0);
        stored.hashes.truncate(8_000);
        stored.upper.as_mut().unwrap().clear();
        let expected = [
            "entries 512 to 767: tiles.hashes: expected 8192 bytes, found 8000 bytes",
            "entries 512 to 767: tiles.upper_half: expected 512 bytes, found 0 bytes",
        ];
        assert_eq!(sentences(&tile, Some(stored)), expected);
    }

    #[test]
    fn a_flipped_bit_is_named_in_both() {
        let (tile, mut stored) = full(0);
        stored.hashes[32 * 7] ^= 1;
        stored.upper.as_mut().unwrap()[32 * 3 + 31] ^= 1;
        let found = sentences(&tile, Some(stored));
        assert!(found[0].starts_with("entry 519: tiles.hashes: expected 070707"), "{found:?}");
        assert!(found[1].starts_with("entries 560 to 575: tiles.upper_half: "), "{found:?}");
        assert!(found[1].contains("as hash 3 of tile 0/2, found "), "{found:?}");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn only_tiles_of_leaves_have_an_upper_half() {
        let (tile, stored) = full(1);
        let found = sentences(&tile, Some(stored));
        let expected =
            "entries 131072 to 196607: tiles.upper_half: expected 0 bytes, found 512 bytes";
        assert_eq!(found, [expected]);
    }
}
