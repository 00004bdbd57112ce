//! The search for what makes the MAC match: one accident undone at a time, then two.

use std::ops::Range;

use super::body::{Change, FIRST_UNMARKED, LOST_ENDS, MARKED, UNMARKED};
use super::cause::{Accident, Cause};
use super::edges::{Edge, Effort, add_edges};
use super::headers::Candidate;
use super::json::{Document, Style};
use super::secrets;
use super::spelling::{self, Wanted};
use super::{Received, proven};
use crate::verify::Verifier;
use crate::verify::key::{Key, Keys};
use crate::verify::signature::MAC_LEN;

/// How many times a body is hashed at most. A MAC that differs from another in its end alone takes no pass of its own.
pub const MOST_PASSES: usize = 512;

/// A body that is shorter counts as one of so many bytes, when the work on all that is made of it is bounded.
const LEAST_WORK: usize = 4096;

/// How much longer than hashing it takes to parse JSON, to write it, and to undo something.
const PARSING: usize = 6;
const WRITING: usize = 5;
const UNDOING: usize = 2;

/// How many keys of other webhooks are tried.
const MOST_OTHERS: usize = 64;

/// How many other texts of JSON are tried by themselves, and how many together with another accident.
const MOST_TEXTS: usize = 96;
const MOST_TEXTS_IN_PAIRS: usize = 10;
const MOST_TEXTS_IN_RARE_PAIRS: usize = 5;
const MOST_TEXTS_WITH_CHANGES: usize = 3;

/// How many bytes of them are kept.
const MOST_KEPT: usize = 16 * 1024 * 1024;

/// How many forms of the secret are tried together with the likeliest change of the body; each next change gets one less.
const MOST_FORMS_IN_PAIRS: usize = 6;

/// A key, and the accident that makes it the signing one.
struct KeyCandidate<'k> {
    key: KeyOf<'k>,
    accident: Option<Accident>,
}

enum KeyOf<'k> {
    Given(&'k Key),
    Made(Key),
}

impl KeyCandidate<'_> {
    fn key(&self) -> &Key {
        match &self.key {
            KeyOf::Given(key) => key,
            KeyOf::Made(key) => key,
        }
    }
}

pub(super) struct Search<'s> {
    body: &'s [u8],
    max_body: usize,
    keys: Vec<KeyCandidate<'s>>,
    others: Vec<KeyCandidate<'s>>,
    tails: Vec<Edge>,
    heads: Vec<Edge>,
    wanted: Vec<Wanted>,
    /// The likeliest other texts of the JSON in the body, once they are written.
    texts: Vec<(Vec<u8>, Style)>,
    passes: usize,
    /// How much work is left, in bytes hashed.
    left: usize,
}

/// All that had to be undone for the MAC to match, with details for people.
type Found = Vec<(Accident, Option<&'static str>)>;

impl<'s> Search<'s> {
    pub(super) fn new(
        verifier: &'s Verifier,
        others: &[&'s Keys],
        received: &Received<'s>,
        timestamps: &[Candidate],
        signatures: &[Candidate],
    ) -> Self {
        let wanted = signatures.iter().flat_map(|candidate| {
            spelling::signatures(&candidate.value).into_iter().map(|mut each| {
                each.accidents.extend(candidate.accident);
                each
            })
        });
        let (mut tails, mut heads) = (Vec::new(), Vec::new());
        for candidate in timestamps {
            for time in spelling::timestamps(&candidate.value) {
                add_edges(&time, candidate.accident, &mut tails, &mut heads);
            }
        }
        let of = |keys: &'s Keys, accident| {
            keys.iter().map(move |key| KeyCandidate {
                key: KeyOf::Given(key),
                accident,
            })
        };
        Self {
            body: received.body,
            max_body: verifier.max_body,
            keys: of(&verifier.keys, None).collect(),
            others: others
                .iter()
                .flat_map(|keys| of(keys, Some(Accident::OtherSecret)))
                .take(MOST_OTHERS)
                .collect(),
            tails,
            heads,
            wanted: wanted.collect(),
            texts: Vec::new(),
            passes: 0,
            left: MOST_PASSES * received.body.len().max(LEAST_WORK),
        }
    }

    /// Whether there may be work on so many bytes, which takes `times` as long as hashing them.
    fn spend(&mut self, bytes: usize, times: usize) -> bool {
        let work = bytes.saturating_mul(times);
        let may = self.left >= work;
        self.left = if may { self.left - work } else { 0 };
        may
    }

    /// The proven causes; `None` if nothing that is tried makes the MAC match.
    pub(super) fn run(&mut self) -> Option<Vec<Cause>> {
        if self.wanted.is_empty() || self.tails.is_empty() {
            return None;
        }
        let given = self.keys.len();
        let found = self.edges(0..given).or_else(|| {
            self.add_forms();
            self.forms(given)
                .or_else(|| self.bodies(given))
                .or_else(|| self.other_secrets())
                .or_else(|| self.bodies_and_forms(given))
                .or_else(|| self.two_changes(given))
                .or_else(|| self.rare_edges(given))
        })?;
        if found.is_empty() {
            // The MAC is right, and what was rejected has no name here, such as an encoding that is ruled out.
            return None;
        }
        let mut causes: Vec<Cause> = Vec::new();
        for (accident, detail) in found {
            if causes.iter().all(|cause| cause.accident != accident) {
                let detail = detail.map(|style| format!("what was signed is {style}"));
                causes.push(proven(accident, detail.unwrap_or_default()));
            }
        }
        Some(causes)
    }

    /// The body as it came, under some keys, with all that can be around it.
    fn edges(&mut self, keys: Range<usize>) -> Option<Found> {
        let body = self.body;
        self.around_any(keys.clone(), body, Effort::Most)
            .or_else(|| self.swapped_any(keys, body, Effort::Most))
    }

    /// The keys of other webhooks, under which deliveries come that went to the wrong endpoint.
    fn other_secrets(&mut self) -> Option<Found> {
        let (body, start) = (self.body, self.keys.len());
        let others = std::mem::take(&mut self.others);
        self.keys.extend(others);
        let others = start..self.keys.len();
        let found = self
            .around_any(others.clone(), body, Effort::Most)
            .or_else(|| {
                self.changed(body, MARKED, |search, _, undone| {
                    search.around_any(others.clone(), undone, Effort::Least)
                })
            })
            .or_else(|| self.texts(body, others.clone(), MOST_TEXTS_IN_PAIRS, Effort::Least))
            .or_else(|| self.swapped_any(others.clone(), body, Effort::Least));
        self.keys.truncate(start);
        found
    }

    /// The keys in their other forms, each with the body as it came.
    fn forms(&mut self, given: usize) -> Option<Found> {
        let body = self.body;
        self.around_any(given..self.keys.len(), body, Effort::More)
    }

    fn add_forms(&mut self) {
        let mut forms: Vec<(usize, KeyCandidate<'s>)> = Vec::new();
        for candidate in &self.keys {
            let made = secrets::forms(candidate.key().secret()).into_iter().enumerate();
            forms.extend(made.filter_map(|(rank, (secret, accident))| {
                let key = KeyOf::Made(Key::of_form(&secret)?);
                let accident = Some(accident);
                Some((rank, KeyCandidate { key, accident }))
            }));
        }
        // The likeliest form of each, and then the next.
        forms.sort_by_key(|(rank, _)| *rank);
        self.keys.extend(forms.into_iter().map(|(_, form)| form));
    }

    /// Each change of the body undone, under the keys as they were given.
    fn bodies(&mut self, given: usize) -> Option<Found> {
        let body = self.body;
        let undone = |search: &mut Self, _, undone: &[u8]| search.around_any(0..given, undone, Effort::More);
        self.changed(body, MARKED, undone)
            .or_else(|| self.texts_of_body(given))
            .or_else(|| self.changed(body, UNMARKED, undone))
    }

    /// Calls `try_it` with the rank of each change that can have happened and the body before it.
    fn changed(
        &mut self,
        body: &[u8],
        changes: &[Change],
        mut try_it: impl FnMut(&mut Self, usize, &[u8]) -> Option<Found>,
    ) -> Option<Found> {
        let mut rank = 0;
        for (accident, undo) in changes {
            if !self.spend(body.len(), 1) {
                return None;
            }
            let Some(undone) = undo(body, self.max_body.min(self.left)) else {
                continue;
            };
            if !self.spend(undone.len(), UNDOING) {
                return None;
            }
            if let Some(found) = try_it(self, rank, &undone) {
                return Some(with(found, *accident, None));
            }
            rank += 1;
        }
        None
    }

    /// Calls `try_it` with the rank of each other text of the JSON in a body, and that text.
    fn written(
        &mut self,
        body: &[u8],
        most: usize,
        mut try_it: impl FnMut(&mut Self, usize, &[u8], Style) -> Option<Found>,
    ) -> Option<Found> {
        if !self.spend(body.len(), PARSING) {
            return None;
        }
        let document = Document::parse(body)?;
        let mut texts = document.texts();
        for rank in 0..most {
            let (text, style) = texts.next(|bytes| self.spend(bytes, WRITING))?;
            if let Some(found) = try_it(self, rank, text, style) {
                return Some(with(found, Accident::BodyReserialized, Some(style.name)));
            }
        }
        None
    }

    /// All other texts of the JSON in the body, of which the likeliest are kept for the pairs.
    fn texts_of_body(&mut self, given: usize) -> Option<Found> {
        let mut size = 0;
        self.written(self.body, MOST_TEXTS, |search, rank, text, style| {
            size += text.len();
            if rank < MOST_TEXTS_IN_PAIRS && size <= MOST_KEPT {
                search.texts.push((text.to_vec(), style));
            }
            search.around_any(0..given, text, Effort::Least)
        })
    }

    /// Calls `try_it` with the rank of each text that was kept, and that text.
    fn kept(&mut self, most: usize, mut try_it: impl FnMut(&mut Self, usize, &[u8]) -> Option<Found>) -> Option<Found> {
        let texts = std::mem::take(&mut self.texts);
        let found = texts.iter().take(most).enumerate().find_map(|(rank, (text, style))| {
            Some(with(
                try_it(self, rank, text)?,
                Accident::BodyReserialized,
                Some(style.name),
            ))
        });
        self.texts = texts;
        found
    }

    fn texts(&mut self, body: &[u8], keys: Range<usize>, most: usize, effort: Effort) -> Option<Found> {
        self.written(body, most, |search, _, text, _| {
            search.around_any(keys.clone(), text, effort)
        })
    }

    /// A change of the body and another form of the secret: the likelier the one is, the more of the other are tried.
    fn bodies_and_forms(&mut self, given: usize) -> Option<Found> {
        let (body, made) = (self.body, self.keys.len() - given);
        let forms = |rank| given..given + made.min(MOST_FORMS_IN_PAIRS.saturating_sub(rank));
        self.changed(body, MARKED, |search, rank, undone| {
            search.around_any(forms(rank), undone, Effort::Least)
        })
        .or_else(|| {
            self.kept(MOST_TEXTS_IN_PAIRS, |search, rank, text| {
                search.around_any(forms(rank), text, Effort::Least)
            })
        })
        .or_else(|| {
            self.changed(body, UNMARKED, |search, rank, undone| {
                search.around_any(forms(rank + MOST_FORMS_IN_PAIRS / 2), undone, Effort::Least)
            })
        })
    }

    /// Two changes of the body, of which the later one has left a mark.
    fn two_changes(&mut self, given: usize) -> Option<Found> {
        let body = self.body;
        self.changed(body, MARKED, |search, _, once| {
            let twice = |search: &mut Self, _, twice: &[u8]| {
                // One that undoes the other is no news.
                (twice != body).then(|| search.around_any(0..given, twice, Effort::Least))?
            };
            search
                .changed(once, MARKED, twice)
                .or_else(|| search.texts(once, 0..given, MOST_TEXTS_IN_PAIRS, Effort::Least))
                .or_else(|| search.changed(once, UNMARKED, twice))
        })
        .or_else(|| {
            self.kept(MOST_TEXTS_WITH_CHANGES, |search, _, text| {
                let undone = |search: &mut Self, _, undone: &[u8]| search.around_any(0..given, undone, Effort::Least);
                search
                    .changed(text, MARKED, undone)
                    .or_else(|| search.changed(text, FIRST_UNMARKED, undone))
            })
        })
    }

    /// The timestamp in front, or an unusual separator, together with one accident more.
    fn rare_edges(&mut self, given: usize) -> Option<Found> {
        let body = self.body;
        let forms = given..self.keys.len().min(given + MOST_FORMS_IN_PAIRS);
        self.edges_of(forms, body)
            .or_else(|| self.changed(body, MARKED, |search, _, undone| search.edges_of(0..given, undone)))
            .or_else(|| {
                self.kept(MOST_TEXTS_IN_RARE_PAIRS, |search, _, text| {
                    search.edges_of(0..given, text)
                })
            })
            .or_else(|| {
                self.changed(body, FIRST_UNMARKED, |search, _, undone| {
                    search.swapped_any(0..given, undone, Effort::Least)
                })
            })
    }

    fn edges_of(&mut self, keys: Range<usize>, body: &[u8]) -> Option<Found> {
        self.swapped_any(keys.clone(), body, Effort::More)
            .or_else(|| self.around_any(keys, body, Effort::Late))
    }

    fn around_any(&mut self, mut keys: Range<usize>, body: &[u8], effort: Effort) -> Option<Found> {
        keys.find_map(|key| self.around(key, body, effort))
    }

    fn swapped_any(&mut self, mut keys: Range<usize>, body: &[u8], effort: Effort) -> Option<Found> {
        keys.find_map(|key| self.swapped(key, body, effort))
    }

    /// A body under a key, with what can come behind it.
    fn around(&mut self, key: usize, body: &[u8], effort: Effort) -> Option<Found> {
        self.passes += 1;
        if self.passes > MOST_PASSES || !self.spend(body.len(), 1) {
            return None;
        }
        let candidate = self.keys.get(key)?;
        let started = candidate.key().start(&[body]);
        let edges = self.tails.iter().filter(|tail| tail.effort <= effort);
        edges.into_iter().find_map(|tail| {
            self.matched(
                &started.mac(&tail.bytes),
                tail.accidents.into_iter().chain([candidate.accident]),
            )
        })
    }

    /// A body under a key, with what can come in front of it.
    fn swapped(&mut self, key: usize, body: &[u8], effort: Effort) -> Option<Found> {
        let count = self.heads.iter().filter(|head| head.effort <= effort).count();
        self.passes += count;
        if self.passes > MOST_PASSES || !self.spend(body.len(), count) {
            return None;
        }
        let candidate = self.keys.get(key)?;
        let heads = self.heads.iter().filter(|head| head.effort <= effort);
        heads.into_iter().find_map(|head| {
            let started = candidate.key().start(&[&head.bytes, body]);
            let accidents = || head.accidents.into_iter().chain([candidate.accident]);
            self.matched(&started.mac(b""), accidents()).or_else(|| {
                let ends = LOST_ENDS
                    .iter()
                    .filter(|_| effort == Effort::Most && head.effort == Effort::Least);
                ends.into_iter().find_map(|(accident, end)| {
                    let accidents = accidents().chain([Some(*accident)]);
                    self.matched(&started.mac(end.as_bytes()), accidents)
                })
            })
        })
    }

    /// All accidents that it takes for `mac` to be right, if it can be.
    fn matched(&self, mac: &[u8; MAC_LEN], accidents: impl Iterator<Item = Option<Accident>>) -> Option<Found> {
        let wanted = self.wanted.iter().find(|wanted| wanted.mac.is(mac))?;
        let all = accidents.flatten().chain(wanted.accidents.iter().copied());
        Some(all.map(|accident| (accident, None)).collect())
    }
}

fn with(mut found: Found, accident: Accident, detail: Option<&'static str>) -> Found {
    found.insert(0, (accident, detail));
    found
}
