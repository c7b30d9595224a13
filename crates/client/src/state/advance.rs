//! Which head may replace which.
//!
//! Border: two heads and a proof. [`Advance`] is the only thing that the state
//! file takes, and [`Advance::prove`] the only way to one but for
//! [`Advance::displace`], so nothing is ever kept of a log that was not proven to
//! continue what was kept of it before.

use tlog::{Checkpoint, Hash};

use super::{Contradiction, StateError, TrustedHead};
use crate::verify::{LogKey, SignedHead};

/// What it takes to go from the trusted head to the offered one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing was trusted before.
    First,
    /// The same tree.
    Unchanged,
    /// A consistency proof between these two sizes is needed.
    Prove {
        /// Leaves in the trusted tree.
        from: u64,
        /// Leaves in the offered tree.
        to: u64,
    },
}

/// How a head relates to what was trusted before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Nothing was trusted before.
    First,
    /// The same tree.
    Unchanged,
    /// It was proven to continue a tree of this size.
    From(u64),
}

/// A head that may replace the trusted one.
#[derive(Clone, Debug)]
pub struct Advance {
    pub(super) from: Option<TrustedHead>,
    pub(super) to: SignedHead,
    growth: Growth,
    displaces: bool,
}

/// What the log has to prove so that `offered` may replace `trusted`.
///
/// # Errors
/// [`StateError::Forked`], [`StateError::RolledBack`], [`StateError::FromEmpty`].
pub fn next_step(trusted: Option<&TrustedHead>, offered: &SignedHead) -> Result<Step, StateError> {
    let Some(trusted) = trusted else { return Ok(Step::First) };
    let (old, new) = (trusted.checkpoint(), offered.checkpoint());
    if old.size == new.size {
        let forked = || StateError::Forked(contradiction(trusted, offered));
        return if old.root == new.root { Ok(Step::Unchanged) } else { Err(forked()) };
    }
    if old.size > new.size {
        return Err(StateError::RolledBack(contradiction(trusted, offered)));
    }
    if old.size == 0 {
        return Err(StateError::FromEmpty);
    }
    Ok(Step::Prove { from: old.size, to: new.size })
}

impl Advance {
    /// Checks that `offered` continues `trusted`. `proof` is empty unless
    /// [`next_step`] asked for one.
    ///
    /// # Errors
    /// As [`next_step`], and [`StateError::NotContinued`].
    pub fn prove(
        trusted: Option<TrustedHead>,
        offered: SignedHead,
        proof: &[Hash],
    ) -> Result<Self, StateError> {
        let growth = match (next_step(trusted.as_ref(), &offered)?, &trusted) {
            (Step::Prove { from, to }, Some(old)) => {
                let (old_root, new_root) = (old.checkpoint().root, offered.checkpoint().root);
                tlog::verify_consistency(from, to, &old_root, &new_root, proof).map_err(
                    |source| StateError::NotContinued {
                        heads: contradiction(old, &offered),
                        source,
                    },
                )?;
                Growth::From(from)
            }
            (Step::Unchanged, _) => Growth::Unchanged,
            (Step::First | Step::Prove { .. }, _) => Growth::First,
        };
        Ok(Self { from: trusted, to: offered, growth, displaces: false })
    }

    /// Lets a head take the place of another log's: one of another origin, without the
    /// signature of `key`. `None` unless it is that.
    ///
    /// Trees are told apart by an ID that anybody may claim, so a strange log may have been
    /// met under this log's ID first. Only for a key that people vouch for: a server that
    /// names its own key would choose what is forgotten.
    #[must_use]
    pub fn displace(strange: &TrustedHead, offered: &SignedHead, key: &LogKey) -> Option<Self> {
        let differs = strange.checkpoint().origin != offered.checkpoint().origin;
        if !differs || strange.is_signed_by(key) {
            return None;
        }
        let (from, to) = (Some(strange.clone()), offered.clone());
        Some(Self { from, to, growth: Growth::First, displaces: true })
    }

    /// The other log's head that this one takes the place of, if any.
    #[must_use]
    pub fn displaced(&self) -> Option<&Checkpoint> {
        self.from.as_ref().filter(|_| self.displaces).map(TrustedHead::checkpoint)
    }

    /// Whether the head that was trusted before carries no signature of `key`, by which this one was
    /// verified: the log has another key now, or its former head was edited. A log may change its
    /// key, and so may whoever takes its place.
    #[must_use]
    pub fn changes_key(&self, key: &LogKey) -> bool {
        !self.displaces && self.from.as_ref().is_some_and(|from| !from.is_signed_by(key))
    }

    /// How the head relates to what was trusted before it.
    #[must_use]
    pub fn growth(&self) -> Growth {
        self.growth
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> &SignedHead {
        &self.to
    }
}

fn contradiction(trusted: &TrustedHead, offered: &SignedHead) -> Box<Contradiction> {
    let (trusted, offered) = (trusted.checkpoint().clone(), offered.checkpoint().clone());
    Box::new(Contradiction { trusted, offered })
}
