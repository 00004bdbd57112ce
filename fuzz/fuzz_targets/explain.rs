//! Explain: no bytes panic, take too long or prove anything, and what was changed by a byte is proven.
#![no_main]

use std::sync::LazyLock;

use _core::verify::explain::{Pair, Received, explain};
use _core::verify::key::{Key, Keys};
use _core::verify::refusal::Refusal;
use _core::verify::signature::Encoding;
use _core::verify::{Verified, Verifier};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "the secret of the fuzzer";
const NOW: i64 = 1_700_000_000;
const TEXT: &[u8] = b"1700000000";

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier {
    keys: Keys::new([key()]).expect("there is a key"),
    tolerance: 900,
    encoding: None,
    max_body: 64 * 1024,
});

fn key() -> Key {
    Key::from_text(SECRET).expect("it can be a secret")
}

fn verdict(body: &[u8], timestamp: &[u8], signature: &[u8]) -> Result<Verified, Refusal> {
    VERIFIER.verify(body, timestamp, signature, NOW)
}

fn headers(timestamp: &[u8], signature: &[u8]) -> Vec<Pair> {
    vec![
        (b"LTK-Timestamp".to_vec(), timestamp.to_vec()),
        (b"LTK-HmacSignature".to_vec(), signature.to_vec()),
    ]
}

fuzz_target!(|data: (&[u8], &[u8], &[u8])| {
    let (body, timestamp, signature) = data;

    // As a stranger sends it.
    let pairs = headers(timestamp, signature);
    let received = Received {
        body,
        headers: &pairs,
        now: NOW,
    };
    let verdict_of = verdict(body, timestamp, signature);
    let (causes, _) = explain(&VERIFIER, &[], &received, verdict_of.as_ref());
    assert!(causes.iter().all(|cause| !cause.proven), "{causes:?}");

    // Signed, and with a line break behind it.
    let signature = Encoding::Base64.encode(&key().mac(body, TEXT));
    let pairs = headers(TEXT, signature.as_bytes());
    let longer = [body, b"\n"].concat();
    let received = Received {
        body: &longer,
        headers: &pairs,
        now: NOW,
    };
    if let Err(refusal) = verdict(&longer, TEXT, signature.as_bytes()) {
        let (causes, _) = explain(&VERIFIER, &[], &received, Err(&refusal));
        assert!(
            matches!(refusal, Refusal::BodyTooLarge { .. }) || causes.first().is_some_and(|cause| cause.proven),
            "{causes:?}"
        );
    }
});
