//! Who is asked: what `fleet::choose` promises for any fleet.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use dcmp_domain::{
    fleet::{
        BATCHES_PER_SLOT, Choice, Entry, Need, Page, SHARDS, WAITING_PER_SLOT, choose, mark, shard,
    },
    job::Wants,
    model::{Format, Placement},
};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
};

const MODEL: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn entry() -> impl Strategy<Value = Entry> {
    let formats = prop_oneof![Just(vec!["onnx"]), Just(vec!["torchscript"]), Just(vec![])];
    (1..4u32, 0..4u32, formats, any::<bool>(), any::<bool>(), 0..3u64, any::<bool>()).prop_map(
        |(slots, free, formats, gpu, aws, max_model_mb, warm)| Entry {
            connection: "conn_1".to_owned(),
            session: "session".to_owned(),
            base: "http://localhost".to_owned(),
            slots,
            slots_free: free.min(slots),
            formats: formats.into_iter().map(str::to_owned).collect(),
            gpu,
            instance_type: if aws { "aws" } else { "user" }.to_owned(),
            max_model_mb,
            batches: aws,
            warm: if warm { vec![mark(MODEL).to_owned()] } else { Vec::new() },
        },
    )
}

/// Two pages of a few devices, and what the caller has in flight to each.
fn fleet() -> impl Strategy<Value = (Vec<Page>, BTreeMap<String, u32>)> {
    let devices = || btree_map("dev_[a-h]", entry(), 0..5).prop_map(|devices| Page { devices });
    (vec(devices(), 1..3), btree_map("dev_[a-h]", 0..12u32, 0..8))
}

fn wants() -> impl Strategy<Value = Wants> {
    let kind = prop_oneof![Just(None), Just(Some("aws".to_owned())), Just(Some("user".to_owned()))];
    (any::<bool>(), kind).prop_map(|(prefer_gpu, instance_type)| Wants {
        placement: Placement::Own,
        prefer_gpu,
        instance_type,
    })
}

fn need<'a>(wants: &'a Wants, avoid: &'a [&'a str]) -> Need<'a> {
    Need {
        wants,
        format: Format::Onnx,
        model_bytes: 1 << 20,
        checksum: MODEL,
        in_batch: false,
        avoid,
    }
}

/// Whether a device can run it at all, said a second time.
fn capable(id: &str, entry: &Entry, need: &Need) -> bool {
    let kind = need.wants.instance_type.as_deref();
    entry.formats.contains(&"onnx".to_owned())
        && entry.max_model_mb << 20 >= need.model_bytes
        && kind.is_none_or(|kind| kind == entry.instance_type)
        && !need.avoid.contains(&id)
}

fn load(id: &str, entry: &Entry, in_flight: &BTreeMap<String, u32>) -> u32 {
    in_flight.get(id).copied().unwrap_or(0).max(entry.slots - entry.slots_free)
}

fn has_room(id: &str, entry: &Entry, in_flight: &BTreeMap<String, u32>) -> bool {
    load(id, entry, in_flight) < entry.slots * (1 + WAITING_PER_SLOT)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn who_is_chosen_can_may_and_has_room(
        (pages, in_flight) in fleet(),
        wants in wants(),
        avoid in vec("dev_[a-h]", 0..3),
        random in any::<[u32; 2]>(),
    ) {
        let avoid: Vec<&str> = avoid.iter().map(String::as_str).collect();
        let need = need(&wants, &avoid);
        let all: Vec<_> = pages.iter().flat_map(|page| &page.devices).collect();
        let able: Vec<_> = all.iter().filter(|(id, entry)| capable(id, entry, &need)).collect();
        let open: Vec<_> =
            able.iter().filter(|(id, entry)| has_room(id, entry, &in_flight)).collect();
        let flying = |id: &str| in_flight.get(id).copied().unwrap_or(0);
        match choose(&pages, &need, flying, random) {
            Choice::Nobody => prop_assert!(able.is_empty()),
            Choice::Busy => prop_assert!(!able.is_empty() && open.is_empty()),
            Choice::Device(id, entry) => {
                prop_assert!(capable(id, entry, &need), "{id} cannot");
                prop_assert!(has_room(id, entry, &in_flight), "{id} is full");
                let gpu = |entry: &Entry| !wants.prefer_gpu || entry.gpu;
                let free = |id: &str, entry: &Entry| load(id, entry, &in_flight) < entry.slots;
                for (other_id, other) in open {
                    prop_assert!(gpu(entry) || !gpu(other), "{other_id} has a graphics processor");
                    let better = gpu(other) && free(other_id, other);
                    prop_assert!(free(id, entry) || !gpu(entry) || !better, "{other_id} is free");
                }
            }
        }
    }

    #[test]
    fn work_for_the_platform_never_goes_to_a_device((pages, in_flight) in fleet()) {
        let wants = Wants { placement: Placement::Platform, ..Wants::default() };
        let flying = |id: &str| in_flight.get(id).copied().unwrap_or(0);
        prop_assert_eq!(choose(&pages, &need(&wants, &[]), flying, [0, 1]), Choice::Nobody);
    }

    #[test]
    fn every_device_has_a_page(id in "dev_[0-9a-f]{0,32}") {
        prop_assert!(shard(&id) < SHARDS);
    }
}

fn device(slots_free: u32, warm: bool) -> Entry {
    Entry {
        connection: "conn_1".to_owned(),
        session: "session".to_owned(),
        base: "http://localhost".to_owned(),
        slots: 4,
        slots_free,
        formats: vec!["onnx".to_owned()],
        gpu: false,
        instance_type: "user".to_owned(),
        max_model_mb: 64,
        batches: false,
        warm: if warm { vec![mark(MODEL).to_owned()] } else { Vec::new() },
    }
}

fn chosen(devices: &[(&str, Entry)], random: [u32; 2]) -> String {
    let devices = devices.iter().map(|(id, entry)| ((*id).to_owned(), entry.clone())).collect();
    let (pages, wants) = ([Page { devices }], Wants::default());
    match choose(&pages, &need(&wants, &[]), |_| 0, random) {
        Choice::Device(id, _) => id.to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_warm_model_is_preferred_but_not_to_a_free_slot() {
    let (cold, warm, full) = (device(4, false), device(1, true), device(0, true));
    assert_eq!(chosen(&[("cold", cold.clone()), ("warm", warm)], [0, 1]), "warm");
    assert_eq!(chosen(&[("cold", cold), ("full", full)], [0, 1]), "cold");
}

#[test]
fn of_two_random_candidates_the_less_loaded_is_asked() {
    let fleet = [("a", device(1, false)), ("b", device(4, false)), ("c", device(2, false))];
    assert_eq!(chosen(&fleet, [0, 1]), "b");
    assert_eq!(chosen(&fleet, [0, 2]), "c");
    assert_eq!(chosen(&fleet, [0, 0]), "a");
}

#[test]
fn pieces_of_batches_run_beside_the_slots_of_devices_that_take_them() {
    let takes = Entry { batches: true, ..device(0, false) };
    let devices = [("busy", takes), ("free", device(4, false))];
    let devices = devices.into_iter().map(|(id, entry)| (id.to_owned(), entry)).collect();
    let (pages, wants) = ([Page { devices }], Wants::default());
    let need = Need { in_batch: true, ..need(&wants, &[]) };
    let chosen = |in_flight: u32| match choose(&pages, &need, |_| in_flight, [0, 0]) {
        Choice::Device(id, _) => id.to_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(chosen(4 * BATCHES_PER_SLOT - 1), "busy");
    assert_eq!(chosen(4 * BATCHES_PER_SLOT), "Busy");
}
