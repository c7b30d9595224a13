//! An error and what is behind it, on one line.
//!
//! Border: words for the operator, in log lines and on standard error. None of it goes to a client.

use std::error::Error;

/// An error and its causes, outermost first. Many errors have their cause's text in their own; it
/// is said once.
#[must_use]
pub fn explain(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    for cause in std::iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !said.contains(&cause) {
            said.push_str(": ");
            said.push_str(&cause);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_cause_that_is_said_already_is_not_said_again() {
        let error = StoreError::Unavailable(io::Error::other("x").into());
        assert_eq!(explain(&error), "the database is not available: x");
    }

    #[test]
    fn a_cause_that_is_not_said_is_added() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] StoreError);
        let error = Outer(StoreError::Refused(io::Error::other("x").into()));
        assert_eq!(explain(&error), "outer: the round is refused: x");
    }
}
