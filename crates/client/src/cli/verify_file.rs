//! `verify FILE`: everything that the log says about a file, without a signature
//! file at hand; or what one entry says, if a setting names it.
//!
//! Border: searching and verifying. A search result is only a hint: an
//! entry counts when its receipt holds and its body, or the statement whose digest
//! is in its body, names the file. Whether a signer is the right one is for the
//! reader to judge.

mod find;
mod head;
mod report;

use std::fs::File;
use std::io::{self, Read as _};

use anyhow::Context as _;
use indelible_client::artifact::{Digests, examine};
use indelible_client::verify::{SignedHead, VerifiedReceipt};

use super::session::{self, Session};
use super::settings::Settings;
use super::values::{self, Format};
use super::{Terminal, go_json};
use find::Found;
use report::{Report, Told};

/// Largest file that is kept in memory, to check a `rekord` signature again or to
/// read TUF metadata.
const MAX_CONTENT: u64 = 128 << 20;

/// The file, and what was found about it so far.
struct Search {
    digests: Digests,
    content: Option<Vec<u8>>,
    entries: Vec<Told>,
    /// Heads of the receipts with their decimal tree IDs.
    heads: Vec<(String, SignedHead)>,
}

pub(super) async fn run(
    file: &str,
    settings: &Settings,
    session: &Session,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let format = super::result_format(settings)?;
    let mut search = Search::open(file).with_context(|| format!("file {file:?}"))?;
    let trusted = session.trusted(terminal)?;
    let (found, otherwise) = match named(settings, session).await? {
        Some(receipt) => {
            search.look_into(receipt)?;
            (Found::default(), "the entry does not vouch for")
        }
        None => (search.all(file, session).await?, "no entry in the log vouches for"),
    };
    let log = head::follow(session, &trusted, &search.heads).await?;
    let verified = search.entries.iter().any(|entry| entry.vouches);
    let (sha256, entries) = (search.digests.sha256, search.entries);
    let Found { more: not_fetched, refused: not_searched, .. } = found;
    // Then what was not seen may well vouch for the file.
    let otherwise = match not_fetched == 0 && not_searched.is_empty() {
        true => otherwise,
        false => "none of the entries that were looked at vouches for",
    };
    let file = file.to_owned();
    let report = Report { file, sha256, verified, not_fetched, not_searched, entries, log };
    match format {
        Format::Json => writeln!(terminal.out, "{}", go_json::line(&report)?)?,
        _ => report.print(terminal)?,
    }
    anyhow::ensure!(verified, "{otherwise} {}", report.file);
    Ok(())
}

impl Search {
    /// Reads the file, once: it may be a pipe.
    fn open(file: &str) -> io::Result<Self> {
        let mut file = File::open(file)?;
        let mut start = Vec::new();
        file.by_ref().take(MAX_CONTENT + 1).read_to_end(&mut start)?;
        let digests = Digests::of(start.as_slice().chain(file))?;
        let whole = start.len() as u64 <= MAX_CONTENT;
        let digests = if whole { digests.with_tuf(&start) } else { digests };
        let content = whole.then_some(start);
        Ok(Self { digests, content, entries: Vec::new(), heads: Vec::new() })
    }

    /// Looks into the entries that the log finds, if they are not too many.
    async fn all(&mut self, file: &str, session: &Session) -> anyhow::Result<Found> {
        let found = find::find(session, &self.digests).await?;
        if found.uuids.is_empty() {
            anyhow::ensure!(
                found.refused.is_empty(),
                "too many entries in the log may be about {file}: {}\n{}",
                found.refused.join("; "),
                report::NAME_ONE
            );
            anyhow::bail!("no entry in the log is about {file}");
        }
        for uuid in &found.uuids {
            self.look_into(fetch(session, uuid).await?)?;
        }
        Ok(found)
    }

    fn look_into(&mut self, receipt: VerifiedReceipt) -> anyhow::Result<()> {
        let id = receipt.entry_id;
        let finding = examine(&receipt, &self.digests, self.content.as_deref())
            .with_context(|| format!("entry {id}"))?;
        self.entries.push(Told::new(&receipt, finding));
        self.heads.push((id.tree_id.to_string(), receipt.head));
        Ok(())
    }
}

/// The entry that the settings name, verified.
async fn named(settings: &Settings, session: &Session) -> anyhow::Result<Option<VerifiedReceipt>> {
    let index = settings.text("log-index");
    let index = index.map(|text| values::natural(&text)).transpose()?;
    let receipt = match (settings.text("uuid"), index) {
        (Some(uuid), _) => fetch(session, &uuid).await?,
        (None, Some(index)) => session.verify(&session.client.entry_by_index(index).await?).await?,
        (None, None) => return Ok(None),
    };
    if let Some(index) = index {
        session::expect_index(index, &receipt)?;
    }
    Ok(Some(receipt))
}

async fn fetch(session: &Session, uuid: &str) -> anyhow::Result<VerifiedReceipt> {
    let fetched = async {
        let entry = session.client.entry_by_uuid(uuid).await?;
        let receipt = session.verify(&entry).await?;
        let same = receipt.entry_id.to_string().ends_with(&uuid.to_lowercase());
        anyhow::ensure!(same, "the server answered with entry {}", receipt.entry_id);
        Ok(receipt)
    };
    fetched.await.with_context(|| format!("entry {uuid}"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn a_pipe_is_read_once() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"abc").unwrap();
        drop(writer);
        // As `verify <(cat f)` names it.
        let search = Search::open(&format!("/proc/self/fd/{}", reader.as_raw_fd())).unwrap();
        assert_eq!(search.content.as_deref(), Some(&b"abc"[..]));
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(search.digests.sha256, abc);
    }
}
