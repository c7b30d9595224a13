//! `get`: one entry, verified, in one of three forms.
//!
//! Border: looking up and printing; the form `tle` is in its own file.

use anyhow::Context as _;
use entry::StoredBody;
use indelible_client::verify::VerifiedReceipt;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tlog::EntryRef;
use wire::LogEntry;

use super::session::{self, Session};
use super::settings::Settings;
use super::values::{self, Format};
use super::{Terminal, go_json, hint, printable, tle};

/// The JSON form, member for member.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'a> {
    attestation: &'a str,
    attestation_type: &'static str,
    body: &'a Value,
    log_index: u64,
    integrated_time: i64,
    #[serde(rename = "UUID")]
    uuid: String,
    #[serde(rename = "LogID")]
    log_id: &'a str,
}

pub(super) async fn run(
    settings: &Settings,
    session: &Session,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let entry = look_up(settings, session).await?;
    let receipt = session.verify(&entry).await?;
    check_identity(settings, &receipt)?;
    let (_, shown) = entry.single()?;
    let format = settings.format()?;
    if format == Format::Tle {
        return tle::print(&receipt, shown, terminal);
    }
    let body = StoredBody::parse(&receipt.body)?;
    let attestation = receipt.attestation.data().unwrap_or_default();
    let attestation = String::from_utf8_lossy(attestation);
    let shown = Shown {
        attestation: &attestation,
        attestation_type: "",
        body: &json!({ body.kind.model_name(): body.spec }),
        log_index: receipt.log_index,
        integrated_time: receipt.integrated_time,
        uuid: receipt.entry_id.to_string(),
        log_id: &shown.log_id,
    };
    match format {
        Format::Json => writeln!(terminal.out, "{}", go_json::line(&shown)?)?,
        _ => print(&shown, terminal)?,
    }
    Ok(())
}

async fn look_up(settings: &Settings, session: &Session) -> anyhow::Result<LogEntry> {
    if let Some(index) = settings.text("log-index") {
        let found = session.client.entry_by_index(values::natural(&index)?).await;
        return match found {
            Ok(entry) => Ok(entry),
            Err(error) => Err(hint::beyond(error, session).await),
        };
    }
    match settings.text("uuid") {
        Some(uuid) => Ok(session.client.entry_by_uuid(&uuid).await?),
        None => {
            anyhow::bail!("either --uuid or --log-index must be specified{}", hint::entry(settings))
        }
    }
}

/// The entry must be the one that was asked for.
fn check_identity(settings: &Settings, receipt: &VerifiedReceipt) -> anyhow::Result<()> {
    if let Some(index) = settings.text("log-index") {
        return session::expect_index(values::natural(&index)?, receipt);
    }
    let Some(uuid) = settings.text("uuid") else { return Ok(()) };
    let asked: EntryRef = uuid.parse().with_context(|| format!("--uuid {uuid:?}"))?;
    let same = match asked {
        EntryRef::Leaf(leaf) => leaf == receipt.entry_id.leaf,
        EntryRef::Entry(id) => id == receipt.entry_id,
    };
    if same {
        return Ok(());
    }
    let got = receipt.entry_id;
    anyhow::bail!("unexpected entry returned from rekor server: expected {uuid}, got {got}")
}

fn print(shown: &Shown<'_>, terminal: &mut Terminal<'_>) -> anyhow::Result<()> {
    writeln!(terminal.out, "LogID: {}", shown.log_id)?;
    if !shown.attestation.is_empty() {
        writeln!(terminal.out, "Attestation: {}", harmless(shown.attestation))?;
    }
    writeln!(terminal.out, "Index: {}", shown.log_index)?;
    writeln!(terminal.out, "IntegratedTime: {}", time(shown.integrated_time))?;
    writeln!(terminal.out, "UUID: {}", shown.uuid)?;
    Ok(writeln!(terminal.out, "Body: {}\n", go_json::pretty(shown.body)?)?)
}

/// A stranger's text without characters that could steer a terminal or forge a line. JSON stays
/// the same JSON, in the lines that it has, for scripts that cut it out: its strings hold no line
/// breaks, and nothing outside of them looks like a line of ours.
fn harmless(text: &str) -> String {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return printable(text);
    }
    go_json::without_controls(&text.replace('\r', " "))
}

/// RFC 3339 in UTC.
pub(super) fn time(seconds: i64) -> String {
    let moment = jiff::Timestamp::from_second(seconds);
    moment.map_or_else(|_| seconds.to_string(), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(attestation: &str, body: &Value) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let shown = Shown {
            attestation,
            attestation_type: "",
            body,
            log_index: 5,
            integrated_time: 0,
            uuid: "ab".to_owned(),
            log_id: "cd",
        };
        print(&shown, &mut Terminal { out: &mut out, err: &mut err }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_attestation_forges_no_line() {
        let line = |attestation: &str| {
            let text = printed(attestation, &json!({}));
            let rest = "Index: 5\nIntegratedTime: 1970-01-01T00:00:00Z\nUUID: ab\nBody: {}\n\n";
            let line = text.strip_prefix("LogID: cd\nAttestation: ").unwrap();
            line.strip_suffix(rest).unwrap().strip_suffix('\n').unwrap().to_owned()
        };
        assert_eq!(line("x\nIndex: 999\nUUID: ff\u{1b}[9A"), "x\\nIndex: 999\\nUUID: ff\\u{1b}[9A");
        // JSON is as it was, or the same.
        for (json, shown) in [
            (r#"{"a":["<é>\n",1]}"#, r#"{"a":["<é>\n",1]}"#),
            ("{\r\n\t\"a\": 1\n}", "{ \n\t\"a\": 1\n}"),
            ("\"\u{9b}9A\u{7f}\"", r#""\u009b9A\u007f""#),
        ] {
            assert_eq!(line(json), shown);
            let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(value(json), value(shown));
        }
    }

    #[test]
    fn nothing_in_a_body_steers_a_terminal() {
        let text = printed("", &json!({ "name": "\u{9b}9A\n\u{1b}" }));
        assert!(text.ends_with("Body: {\n  \"name\": \"\\u009b9A\\n\\u001b\"\n}\n\n"), "{text}");
    }
}
