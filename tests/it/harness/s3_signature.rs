//! Whether a presigned S3 URL is signed as it must be: AWS Signature Version 4, with
//! the signature in the query, written out anew from its description ("Authenticating
//! requests: using query parameters" of the S3 API reference).

use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, Method, Uri};
use sha2::{Digest as _, Sha256};

/// What the service knows of its only client.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) region: String,
}

impl Signer {
    /// # Errors
    /// The code that S3 answers with.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), &'static str> {
        let query: Vec<(&str, &str)> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        let find = |name| query.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let need = |name| find(name).ok_or("AuthorizationQueryParametersError");
        if need("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
            return Err("AuthorizationQueryParametersError");
        }
        let (date, expires) = (need("X-Amz-Date")?, need("X-Amz-Expires")?);
        let day = date.get(..8).ok_or("AuthorizationQueryParametersError")?;
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let credential = format!("{}/{scope}", self.id).replace('/', "%2F");
        if need("X-Amz-Credential")? != credential {
            return Err("InvalidAccessKeyId");
        }
        if find("X-Amz-Security-Token") != self.token.as_deref() {
            return Err("InvalidToken");
        }
        let signed = need("X-Amz-SignedHeaders")?.replace("%3B", ";");
        if !signed.split(';').any(|name| name == "host") {
            return Err("AccessDenied");
        }
        // All of them are needed for the write to mean what it says.
        for name in ["if-match", "if-none-match"] {
            if headers.contains_key(name) && !signed.split(';').any(|signed| signed == name) {
                return Err("AccessDenied");
            }
        }
        let canonical = canonical(method, uri, &query, headers, &signed);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
            hex::encode(Sha256::digest(canonical))
        );
        let key = [day, &self.region, "s3", "aws4_request"]
            .iter()
            .fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| hmac(&key, part));
        if need("X-Amz-Signature")? != hex::encode(hmac(&key, &to_sign)) {
            return Err("SignatureDoesNotMatch");
        }
        let age = now() - seconds(date).ok_or("AuthorizationQueryParametersError")?;
        let lifetime = -900..=expires.parse().unwrap_or(0);
        if lifetime.contains(&age) { Ok(()) } else { Err("RequestTimeTooSkewed") }
    }
}

fn canonical(
    method: &Method,
    uri: &Uri,
    query: &[(&str, &str)],
    headers: &HeaderMap,
    signed: &str,
) -> String {
    // The client has encoded them as they are signed.
    let mut pairs: Vec<_> = query.iter().filter(|(key, _)| *key != "X-Amz-Signature").collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let lines: String = signed
        .split(';')
        .map(|name| {
            let value = headers.get(name).map_or("", |value| value.to_str().expect("ASCII"));
            format!("{name}:{}\n", value.trim())
        })
        .collect();
    format!("{method}\n{}\n{}\n{lines}\n{signed}\nUNSIGNED-PAYLOAD", uri.path(), pairs.join("&"))
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    aws_lc_rs::hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_secs()).expect("not that late")
}

/// Unix seconds of `20130524T000000Z` (days by H. Hinnant's `days_from_civil`).
fn seconds(date: &str) -> Option<i64> {
    let number = |from: usize, to: usize| date.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// The example of the description, which is long expired.
#[test]
fn the_published_example_is_recomputed() {
    assert_eq!(seconds("20130524T000000Z"), Some(1_369_353_600));
    let signer = Signer {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        token: None,
        region: "us-east-1".to_owned(),
    };
    let headers = HeaderMap::from_iter([(
        axum::http::header::HOST,
        "examplebucket.s3.amazonaws.com".parse().expect("a value"),
    )]);
    let check = |signature: &str| {
        let uri = format!(
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F\
             20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=\
             86400&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
        );
        signer.check(&Method::GET, &uri.parse().expect("a URI"), &headers)
    };
    let right = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    assert_eq!(check(right), Err("RequestTimeTooSkewed"), "all else is as it must be");
    assert_eq!(check(&right.replace('a', "b")), Err("SignatureDoesNotMatch"));
}
