//! What can come behind the body and in front of it, when it is signed.

use super::body::LOST_ENDS;
use super::cause::Accident;
use super::spelling::Time;

/// How many separators are tried with another accident of the timestamp.
const SEPARATORS_IN_PAIRS: usize = 6;

/// What senders put between the body and the timestamp.
const SEPARATORS: &[&str] = &[
    ".", "\n", ":", "|", "-", ",", " ", "\r\n", "_", ";", "&", "/", "#", "+", "\0",
];

/// What can come behind the body or in front of it, and what it means.
pub(super) struct Edge {
    pub(super) bytes: Vec<u8>,
    pub(super) accidents: [Option<Accident>; 3],
    pub(super) effort: Effort,
}

/// With how much else an edge is tried.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effort {
    /// With everything.
    Least,
    /// With one accident more.
    More,
    /// With one accident more, after everything else.
    Late,
    /// By itself.
    Most,
}

/// What can be around the body if `time` was signed.
pub(super) fn add_edges(time: &Time, header: Option<Accident>, tails: &mut Vec<Edge>, heads: &mut Vec<Edge>) {
    let (text, form) = (time.text.as_slice(), time.accident);
    let edge = |bytes: &[&[u8]], accidents: [Option<Accident>; 3], effort| Edge {
        bytes: bytes.concat(),
        accidents,
        effort,
    };
    let (swapped, separated) = (Some(Accident::OrderSwapped), Some(Accident::SeparatorAdded));
    if !time.is_likely {
        tails.push(edge(&[text], [header, form, None], Effort::Late));
        heads.push(edge(&[text], [header, form, swapped], Effort::Most));
        for separator in SEPARATORS.iter().take(SEPARATORS_IN_PAIRS) {
            tails.push(edge(
                &[separator.as_bytes(), text],
                [header, form, separated],
                Effort::Most,
            ));
        }
        return;
    }
    let ranked = |rank: usize| match rank {
        0 => Effort::Least,
        1 | 2 => Effort::More,
        3..=5 => Effort::Late,
        _ => Effort::Most,
    };
    tails.push(edge(&[text], [header, form, None], Effort::Least));
    for (rank, (accident, end)) in LOST_ENDS.iter().enumerate() {
        tails.push(edge(
            &[end.as_bytes(), text],
            [header, form, Some(*accident)],
            ranked(rank),
        ));
    }
    for (rank, separator) in SEPARATORS.iter().enumerate() {
        tails.push(edge(
            &[separator.as_bytes(), text],
            [header, form, separated],
            ranked(rank + 1),
        ));
    }
    heads.push(edge(&[text], [header, form, swapped], Effort::Least));
    for separator in SEPARATORS.iter().take(SEPARATORS_IN_PAIRS) {
        let accidents = [header.or(form), swapped, separated];
        heads.push(edge(&[text, separator.as_bytes()], accidents, Effort::Most));
    }
}
