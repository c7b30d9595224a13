//! What `verify FILE` tells.
//!
//! Border: findings to texts and JSON.

use indelible_client::artifact::{Finding, SignatureCheck, Signer};
use indelible_client::verify::VerifiedReceipt;
use serde::Serialize;

use super::super::{Terminal, get, printable};

/// What helps when an entry is one of too many.
pub(super) const NAME_ONE: &str = "--uuid or --log-index names a certain one";

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Report {
    pub(super) file: String,
    #[serde(rename = "SHA256")]
    pub(super) sha256: String,
    pub(super) verified: bool,
    /// Entries that were found but not looked at.
    pub(super) not_fetched: usize,
    /// Digests for which nothing was found because it would have been too much, with the reasons.
    pub(super) not_searched: Vec<String>,
    pub(super) entries: Vec<Told>,
    pub(super) log: HeadTold,
}

/// One entry that was found.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Told {
    #[serde(rename = "UUID")]
    uuid: String,
    log_index: u64,
    integrated_time: i64,
    kind: String,
    pub(super) vouches: bool,
    about: String,
    signature: String,
    signers: Vec<SignerTold>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SignerTold {
    subjects: Vec<String>,
    fingerprints: Vec<String>,
    /// Several keys, of which one signed, or more.
    one_of: bool,
    /// What the fingerprints are.
    #[serde(skip)]
    label: &'static str,
}

/// The log's head.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HeadTold {
    pub(super) size: u64,
    pub(super) root_hash: String,
    pub(super) consistency: String,
}

impl Told {
    pub(super) fn new(receipt: &VerifiedReceipt, finding: Finding) -> Self {
        let vouches = finding.vouches();
        let about = finding.mention.map_or_else(
            || "not named by anything that can be seen in the entry".to_owned(),
            |mention| mention.to_string(),
        );
        let signature = match finding.signature {
            SignatureCheck::Verified => "verified".to_owned(),
            SignatureCheck::False(reason) => format!("FALSE: {reason}"),
            SignatureCheck::NotChecked(reason) => format!("checked by the log only: {reason}"),
        };
        Self {
            uuid: receipt.entry_id.to_string(),
            log_index: receipt.log_index,
            integrated_time: receipt.integrated_time,
            kind: format!("{}:{}", finding.kind, finding.version),
            vouches,
            about,
            signature,
            signers: finding.signers.into_iter().map(SignerTold::new).collect(),
        }
    }

    fn print(&self, terminal: &mut Terminal<'_>) -> anyhow::Result<()> {
        writeln!(terminal.out, "\nEntry {} ({})", self.log_index, printable(&self.kind))?;
        writeln!(terminal.out, "  UUID:       {}", self.uuid)?;
        writeln!(terminal.out, "  Added:      {}", get::time(self.integrated_time))?;
        writeln!(terminal.out, "  The file is {}", self.about)?;
        writeln!(terminal.out, "  Signature:  {}", printable(&self.signature))?;
        for signer in &self.signers {
            writeln!(terminal.out, "  Signed by:  {}", printable(&signer.text()))?;
        }
        Ok(())
    }
}

impl SignerTold {
    fn new(signer: Signer) -> Self {
        let label = signer.label();
        let Signer { subjects, fingerprints, one_of, .. } = signer;
        Self { subjects, fingerprints, one_of, label }
    }

    /// Names, and which key it was.
    fn text(&self) -> String {
        let mut parts = self.subjects.clone();
        if !self.fingerprints.is_empty() {
            parts.push(format!("{} {}", self.label, self.fingerprints.join(", ")));
        }
        match (parts.is_empty(), self.one_of) {
            (true, _) => "a key that cannot be read here".to_owned(),
            (false, false) => parts.join(", "),
            (false, true) => format!("one or more of these keys: {}", parts.join(", ")),
        }
    }
}

impl Report {
    pub(super) fn print(&self, terminal: &mut Terminal<'_>) -> anyhow::Result<()> {
        let verdict = if self.verified { "is in the log" } else { "is NOT vouched for" };
        writeln!(terminal.out, "{} {verdict}", self.file)?;
        writeln!(terminal.out, "SHA-256: {}", self.sha256)?;
        for entry in &self.entries {
            entry.print(terminal)?;
        }
        match self.not_fetched {
            0 => {}
            1 => writeln!(terminal.out, "\n1 more entry was not looked at; {NAME_ONE}")?,
            more => {
                writeln!(terminal.out, "\n{more} more entries were not looked at; {NAME_ONE}")?;
            }
        }
        for refused in &self.not_searched {
            let refused = printable(refused);
            writeln!(terminal.out, "\nToo many to be looked at; {NAME_ONE}: {refused}")?;
        }
        let HeadTold { size, root_hash, consistency } = &self.log;
        let entries = if *size == 1 { "entry" } else { "entries" };
        writeln!(terminal.out, "\nThe log has {size} {entries} and root {root_hash};")?;
        Ok(writeln!(terminal.out, "{consistency}.")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(report: &Report) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        report.print(&mut Terminal { out: &mut out, err: &mut err }).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn report(entries: Vec<Told>, size: u64, not_fetched: usize) -> Report {
        let log = HeadTold { size, root_hash: "ab".to_owned(), consistency: "c".to_owned() };
        let (file, sha256) = ("f".to_owned(), "cd".to_owned());
        let not_searched = Vec::new();
        Report { file, sha256, verified: true, not_fetched, not_searched, entries, log }
    }

    #[test]
    fn one_is_singular() {
        let one = printed(&report(Vec::new(), 1, 1));
        assert!(one.contains("The log has 1 entry and root ab;"), "{one}");
        assert!(one.contains("\n1 more entry was not"), "{one}");
        let two = printed(&report(Vec::new(), 2, 2));
        assert!(two.contains("has 2 entries") && two.contains("2 more entries were"), "{two}");
    }

    #[test]
    fn a_version_forges_no_line() {
        let entry = Told {
            uuid: "ab".to_owned(),
            log_index: 5,
            integrated_time: 0,
            kind: "rekord:0\n  Signature:  verified\u{9b}".to_owned(),
            vouches: true,
            about: "it".to_owned(),
            signature: String::new(),
            signers: Vec::new(),
        };
        let printed = printed(&report(vec![entry], 1, 0));
        let line = "\nEntry 5 (rekord:0\\n  Signature:  verified\\u{9b})\n";
        assert!(printed.contains(line), "{printed}");
    }

    #[test]
    fn fingerprints_say_what_they_are() {
        let signer = |subjects: &[&str], fingerprints: &[&str]| SignerTold {
            subjects: subjects.iter().map(ToString::to_string).collect(),
            fingerprints: fingerprints.iter().map(ToString::to_string).collect(),
            one_of: fingerprints.len() > 1,
            label: "SHA-256 of the key",
        };
        let entry = Told {
            uuid: String::new(),
            log_index: 0,
            integrated_time: 0,
            kind: String::new(),
            vouches: true,
            about: "it".to_owned(),
            signature: String::new(),
            signers: vec![
                signer(&["a\u{1b}", "b"], &["ab"]),
                signer(&[], &["ab"]),
                signer(&["a"], &["ab", "cd"]),
                signer(&[], &[]),
            ],
        };
        let printed = printed(&report(vec![entry], 1, 0));
        let signers: Vec<_> = printed.lines().filter_map(|line| line.split_once("by:  ")).collect();
        assert_eq!(
            signers.iter().map(|(_, signer)| *signer).collect::<Vec<_>>(),
            [
                "a\\u{1b}, b, SHA-256 of the key ab",
                "SHA-256 of the key ab",
                "one or more of these keys: a, SHA-256 of the key ab, cd",
                "a key that cannot be read here"
            ]
        );
    }
}
