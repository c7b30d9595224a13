//! Base64 as the reference server reads it.
//!
//! Lives here: decoding with that server's leniency and error text, and the one encoding that stored bodies use.
//! Not here: which field is base64, or what the bytes mean.
//!
//! The decoder skips CR and LF anywhere, insists on padding, and ignores the unused bits of the last character.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::GeneralPurposeConfig;

/// RFC 4648 section 4 alphabet, padding required, trailing bits ignored.
static STANDARD: LazyLock<engine::Base64> = LazyLock::new(|| engine::standard(LENIENT));
/// RFC 4648 section 5 alphabet, padding required, trailing bits ignored.
static URL_SAFE: LazyLock<engine::Base64> = LazyLock::new(|| engine::url_safe(LENIENT));
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
    .with_decode_allow_trailing_bits(true);

/// Vector instructions, where the machine has them: envelopes and packages are megabytes of base64.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod engine {
    pub(super) use base64::engine::Simd as Base64;
    use base64::engine::general_purpose::GeneralPurposeConfig;

    pub(super) fn standard(config: GeneralPurposeConfig) -> Base64 {
        Base64::standard(config)
    }

    pub(super) fn url_safe(config: GeneralPurposeConfig) -> Base64 {
        Base64::url_safe(config)
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod engine {
    use base64::alphabet;
    pub(super) use base64::engine::GeneralPurpose as Base64;
    use base64::engine::general_purpose::GeneralPurposeConfig;

    pub(super) fn standard(config: GeneralPurposeConfig) -> Base64 {
        Base64::new(&alphabet::STANDARD, config)
    }

    pub(super) fn url_safe(config: GeneralPurposeConfig) -> Base64 {
        Base64::new(&alphabet::URL_SAFE, config)
    }
}

/// The text is not base64; `offset` is the byte that the reference decoder names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {offset}")]
pub struct Base64Error {
    /// Offset in the input (line breaks counted) of the byte that the decoder stumbled over.
    pub offset: usize,
}

/// Decodes standard base64 (RFC 4648 section 4).
///
/// # Errors
/// [`Base64Error`] for a foreign character or wrong padding.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    decode_with(&STANDARD, text, b"+/")
}

/// Decodes URL-safe base64 (RFC 4648 section 5), padding required.
///
/// # Errors
/// [`Base64Error`] for a foreign character or wrong padding.
pub fn decode_url_safe(text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    decode_with(&URL_SAFE, text, b"-_")
}

/// Decodes standard base64 and, when that fails, URL-safe base64: the rule for DSSE payloads and signatures.
///
/// # Errors
/// [`Base64Error`] of the second attempt.
pub fn decode_either(text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    decode(text).or_else(|_| decode_url_safe(text))
}

/// Encodes with the standard alphabet, with padding and without line breaks: the form in stored bodies.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

fn decode_with(
    engine: &engine::Base64,
    text: &[u8],
    extra: &[u8; 2],
) -> Result<Vec<u8>, Base64Error> {
    let mut breaks = memchr::memchr2_iter(b'\r', b'\n', text).peekable();
    let decoded = if breaks.peek().is_none() {
        engine.decode(text)
    } else {
        let mut joined = Vec::with_capacity(text.len());
        let mut from = 0;
        for at in breaks {
            joined.extend_from_slice(&text[from..at]);
            from = at + 1;
        }
        joined.extend_from_slice(&text[from..]);
        engine.decode(joined)
    };
    decoded.map_err(|_| Base64Error { offset: first_fault(text, extra) })
}

fn is_break(byte: u8) -> bool {
    byte == b'\r' || byte == b'\n'
}

/// Finds the offset that the reference decoder reports for text that is known to be faulty.
fn first_fault(text: &[u8], extra: &[u8; 2]) -> usize {
    let mut quantum = 0;
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        at += 1;
        if byte.is_ascii_alphanumeric() || extra.contains(&byte) {
            quantum = (quantum + 1) % 4;
        } else if is_break(byte) {
        } else if byte != b'=' || quantum < 2 {
            return at - 1;
        } else {
            return padding_fault(text, at, quantum);
        }
    }
    text.len() - quantum
}

/// The offset to report once the first `=` was read; `at` is the byte after it.
fn padding_fault(text: &[u8], mut at: usize, quantum: usize) -> usize {
    let skip = |mut at: usize| {
        while text.get(at).is_some_and(|b| is_break(*b)) {
            at += 1;
        }
        at
    };
    if quantum == 2 {
        at = skip(at);
        match text.get(at) {
            None => return text.len(),
            Some(b'=') => at += 1,
            Some(_) => return at - 1,
        }
    }
    skip(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_anywhere_are_skipped() {
        assert_eq!(decode(b"aGVs\r\nbG8\n=").unwrap(), b"hello");
        assert_eq!(decode(b"\n\n").unwrap(), b"");
        assert_eq!(decode(b"").unwrap(), b"");
    }

    #[test]
    fn trailing_bits_are_ignored() {
        assert_eq!(decode(b"aGVsbG9=").unwrap(), b"hello");
        assert_eq!(decode(b"/x==").unwrap(), [0xff]);
    }

    #[test]
    fn the_other_alphabet_needs_the_fallback() {
        assert!(decode(b"-_8=").is_err());
        assert!(decode_url_safe(b"+/8=").is_err());
        assert_eq!(decode_url_safe(b"-_8=").unwrap(), [0xfb, 0xff]);
        assert_eq!(decode_either(b"-_8=").unwrap(), decode_either(b"+/8=").unwrap());
        assert!(decode_either(b"-/8=").is_err());
    }

    #[test]
    fn faults_are_reported_where_the_reference_reports_them() {
        let cases: &[(&[u8], usize)] = &[
            (b"!", 0),
            (b"a", 0),
            (b"ab", 0),
            (b"abc", 0),
            (b"abcde", 4),
            (b"abcd=", 4),
            (b"a===", 1),
            (b"ab=", 3),
            (b"ab=c", 2),
            (b"ab\n=\nc", 4),
            (b"ab==\nx", 5),
            (b"abc=x", 4),
            (b"abc==", 4),
            (b"abcd ef=", 4),
            (b"ab\ncd\nef", 6),
        ];
        for (text, offset) in cases {
            let error = decode(text).unwrap_err();
            assert_eq!(error.offset, *offset, "{:?}", String::from_utf8_lossy(text));
        }
        assert_eq!(decode(b"ab_d").unwrap_err().to_string(), "illegal base64 data at input byte 2");
    }

    #[test]
    fn long_texts_are_read_like_short_ones() {
        let bytes: Vec<u8> = (0..3_000_u32).map(|n| ((n * n) >> 3) as u8).collect();
        let text = encode(&bytes);
        assert_eq!(decode(text.as_bytes()).unwrap(), bytes);
        let url = text.replace('+', "-").replace('/', "_");
        assert_ne!(url, text);
        assert_eq!(decode_url_safe(url.as_bytes()).unwrap(), bytes);
        assert_eq!(decode_either(url.as_bytes()).unwrap(), bytes);
        for at in [0, 31, 32, 1_000, 3_998] {
            let mut faulty = text.clone().into_bytes();
            faulty[at] = b'!';
            assert_eq!(decode(&faulty).unwrap_err().offset, at);
        }
        let lines: Vec<&[u8]> = text.as_bytes().chunks(64).collect();
        assert_eq!(decode(&lines.join(&b"\r\n"[..])).unwrap(), bytes);
    }

    #[test]
    fn encoding_pads_and_never_breaks_lines() {
        assert_eq!(encode([0xfb, 0xff]), "+/8=");
        assert_eq!(encode([0u8; 99]).len(), 132);
    }
}
