//! What the server answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;

use super::{BEARER, Conditions, Inner, Kind, Mood};

impl Inner {
    pub(super) fn keep(&self, path: &str, note: &str) {
        self.notes.send_modify(|notes| {
            let number = notes.get(path).map_or(0, |(_, number)| number + 1);
            notes.insert(path.to_owned(), (note.to_owned(), number));
        });
        self.history.lock().expect("it").push((path.to_owned(), note.to_owned()));
    }

    fn refusal(&self, status: u16, code: &str, headers: &HeaderMap, uri: &Uri) -> Response {
        let status = StatusCode::from_u16(status).expect("a status");
        // Real services repeat what was asked, signature and all.
        let body =
            format!("<Error><Code>{code}</Code><Resource>{uri} {headers:?}</Resource></Error>");
        (status, body).into_response()
    }

    fn authorized(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), &'static str> {
        match self.kind {
            Kind::S3 => self.signer.check(method, uri, headers),
            Kind::Web => {
                let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
                let right = given == Some(format!("Bearer {BEARER}").as_bytes());
                if right { Ok(()) } else { Err("Unauthorized") }
            }
        }
    }
}

pub(super) async fn answer(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    inner.requests.send_modify(|requests| *requests += 1);
    let refuse = |status, code| inner.refusal(status, code, &headers, &uri);
    let mood = *inner.mood.borrow();
    match mood {
        Mood::Fails(status) => return refuse(status, "SlowDown"),
        Mood::RefusesWrites(status) if method != Method::GET => {
            return refuse(status, "AccessDenied");
        }
        Mood::Works | Mood::RefusesWrites(_) | Mood::Forgets => {}
        Mood::Hangs => std::future::pending().await,
        Mood::Babbles => return vec![0xff; 10].into_response(),
        Mood::Boasts => {
            let length = [(header::CONTENT_LENGTH, "1099511627776")];
            return (length, Body::new(Endless(false))).into_response();
        }
        Mood::Floods => return Body::new(Endless(true)).into_response(),
    }
    if let Err(code) = inner.authorized(&method, &uri, &headers) {
        return refuse(if inner.kind == Kind::S3 { 403 } else { 401 }, code);
    }
    match method {
        Method::GET => get(&inner, &headers, &uri),
        Method::PUT if mood == Mood::Forgets => StatusCode::OK.into_response(),
        Method::PUT => {
            let note = String::from_utf8(body.to_vec()).expect("a note is text");
            put(&inner, &headers, &uri, &note)
        }
        Method::DELETE => {
            inner.notes.send_modify(|notes| drop(notes.remove(uri.path())));
            StatusCode::NO_CONTENT.into_response()
        }
        _ => refuse(405, "MethodNotAllowed"),
    }
}

fn tag(number: u64) -> String {
    format!("\"n{number}\"")
}

fn get(inner: &Inner, headers: &HeaderMap, uri: &Uri) -> Response {
    let notes = inner.notes.borrow();
    let Some((note, number)) = notes.get(uri.path()) else {
        let bucket = inner.kind == Kind::Web || uri.path().starts_with("/bucket/");
        let code = if bucket { "NoSuchKey" } else { "NoSuchBucket" };
        return inner.refusal(404, code, headers, uri);
    };
    match *inner.conditions.lock().expect("it") {
        Conditions::Ignored => note.clone().into_response(),
        _ => ([(header::ETAG, tag(*number))], note.clone()).into_response(),
    }
}

fn put(inner: &Inner, headers: &HeaderMap, uri: &Uri, note: &str) -> Response {
    if let Some(other) = inner.intruder.lock().expect("it").take() {
        inner.keep(uri.path(), &other);
    }
    let conditional = [header::IF_MATCH, header::IF_NONE_MATCH];
    match *inner.conditions.lock().expect("it") {
        Conditions::Refused if conditional.iter().any(|name| headers.contains_key(name)) => {
            return inner.refusal(501, "NotImplemented", headers, uri);
        }
        Conditions::Honoured => {
            let there = inner.notes.borrow().get(uri.path()).map(|(_, number)| tag(*number));
            let given = |name| headers.get(name).map(|value| value.to_str().expect("ASCII"));
            let fits = given(header::IF_MATCH).is_none_or(|tag| there.as_deref() == Some(tag))
                && given(header::IF_NONE_MATCH).is_none_or(|_| there.is_none());
            if !fits {
                return inner.refusal(412, "PreconditionFailed", headers, uri);
            }
        }
        _ => {}
    }
    inner.keep(uri.path(), note);
    StatusCode::OK.into_response()
}

/// A body that does not end: of many bytes, or of none.
struct Endless(bool);

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.0 {
            true => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'a'; 8_192]))))),
            false => Poll::Pending,
        }
    }
}
