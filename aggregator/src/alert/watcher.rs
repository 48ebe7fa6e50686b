//! Follows watched addresses over the hours of a capture or of replays, and puts what is to be told into the queues of the sinks.
//!
//! A capture shows it every minute's rows once they are in the journal, a replay every hour's when it closes. What it knows is a document in
//! `.teiten/alerts`, written behind the alerts: after a kill the same rows are looked at again, make the same alerts with the same ids, and
//! those are known already. A capture says by the numbers of its journal which rows were looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use twox_hash::XxHash64;

use super::event::{Told, WatchedEvent, hour_of, is_enough, severity, tellings};
use super::forged::{AddressBlock, Chance, HourBlocks, are_open, are_reflected};
use super::list::{WatchError, WatchList, WatchedOwner};
use super::look::{Sighting, WatchedKey};
use super::tally::WatchedTally;
use super::{Alert, AlertKind, AlertState, Withheld};
use crate::close::HourRuns;
use crate::event::{AttackRules, DarkAddresses};
use crate::hour::Hour;
use crate::minute::HourAccount;
use crate::origin::Origins;
use crate::store::{DocumentQueue, Put, Store, StoredDocument};
use crate::text::{hexadecimal, time};
use teiten_observation::TelescopeSize;

/// Events that are followed, at most; more are counted.
const EVENTS_MAX: usize = 1 << 14;
/// Hours behind the newest one whose blocks are still compared.
const BLOCK_HOURS: i64 = 2;
/// Hours that an alert names.
const HOURS_SHOWN: usize = 48;

/// File of what is not told, and why: lines as those of alerts.
const WITHHELD: &str = "withheld.jsonl";
/// Bytes of it from which on it begins anew.
const WITHHELD_BYTES_MAX: u64 = 16 << 20;

/// What was put into queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Alerts.
    pub alerts: u64,
    /// What is not told because sources prove nothing.
    pub withheld: u64,
    /// Alerts that found a queue full.
    pub dropped: u64,
    /// Packets of watched addresses that are too many to follow.
    pub left_out: u64,
}

impl Committed {
    /// Adds what was put later.
    pub fn add(&mut self, other: Committed) {
        self.alerts += other.alerts;
        self.withheld += other.withheld;
        self.dropped += other.dropped;
        self.left_out = self.left_out.saturating_add(other.left_out);
    }
}

/// Whose rows are looked at, and how often the same ones may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookedAt<'p> {
    /// All that a part says of an hour, in place of what it said before.
    Whole(&'p str),
    /// The stretch of a capture's journal with this number; each number counts once.
    Stretch(&'p str, u64),
}

/// What a watcher knows, from run to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct WatcherState {
    /// Everything before is known, microseconds since 1970-01-01 UTC.
    now_us: Option<i64>,
    /// By the run of a journal the last stretch that was looked at.
    through: BTreeMap<String, u64>,
    events: Vec<(WatchedKey, Vec<WatchedEvent>)>,
}

/// Where alerts go.
#[derive(Debug)]
pub enum Outbox {
    /// Into the queues of the sinks.
    Queues,
    /// Into memory: a test that tells nobody.
    Kept,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Telling {
    /// An alert.
    Alert(Box<Alert>),
    /// What is not told, and why.
    Withheld(Withheld),
}

/// Follows watched addresses.
#[derive(Debug)]
pub struct Watcher {
    list: Arc<WatchList>,
    store: Store,
    /// The name of its document.
    name: String,
    sensor: String,
    telescope: DarkAddresses,
    now_us: Option<i64>,
    through: BTreeMap<String, u64>,
    events: BTreeMap<WatchedKey, Vec<WatchedEvent>>,
    blocks: BTreeMap<i64, BTreeMap<String, HourBlocks>>,
    impossible: BTreeMap<WatchedKey, WatchedTally>,
    queues: BTreeMap<String, DocumentQueue>,
    /// What waits to be put into queues.
    untold: Vec<Telling>,
    outbox: Outbox,
    is_changed: bool,
    /// Packets of watched addresses that are not followed because there are too many.
    left_out: u64,
}

impl Watcher {
    /// The watcher of a sensor's captures or replays (`role`), with what an earlier run knew.
    ///
    /// # Errors
    /// When its document cannot be read. A damaged one is as none.
    pub fn open(
        store: &Store,
        (sensor, role): (&str, &str),
        list: Arc<WatchList>,
        telescope: Option<TelescopeSize>,
        outbox: Outbox,
    ) -> Result<Self, WatchError> {
        let name = format!("{sensor}-{role}");
        let path = store.alerts_folder().join(document_of(&name));
        let found = match outbox {
            Outbox::Kept => StoredDocument::Missing,
            Outbox::Queues => store
                .read_document(&path)
                .map_err(|source| WatchError::State {
                    path: path.clone(),
                    source,
                })?,
        };
        let state = match found {
            StoredDocument::Text(text) => serde_json::from_str(&text).ok(),
            StoredDocument::Missing | StoredDocument::Damaged => None,
        };
        let state: WatcherState = state.unwrap_or_default();
        let queue = |name: &String| (name.clone(), store.queue(name));
        let queues = list.sinks.iter().map(|sink| queue(&sink.name)).collect();
        let is_watched = |(key, _): &(WatchedKey, Vec<WatchedEvent>)| {
            list.watched.iter().any(|owner| owner.owner == key.owner)
        };
        let events = state.events.into_iter().filter(is_watched).collect();
        let size = telescope.unwrap_or_default();
        Ok(Watcher {
            blocks: BTreeMap::new(),
            list,
            store: store.clone(),
            name,
            sensor: sensor.to_owned(),
            telescope: DarkAddresses {
                ipv4: Some(size.ipv4),
                ipv6: u64::try_from(size.ipv6).ok(),
            },
            now_us: state.now_us,
            through: state.through,
            events,
            impossible: BTreeMap::new(),
            queues,
            untold: Vec::new(),
            outbox,
            is_changed: false,
            left_out: 0,
        })
    }

    /// Looks at rows of `hour`. Its `account` says up to when the hour was observed.
    ///
    /// # Errors
    /// When rows on disk cannot be read; nothing of them is followed then.
    pub fn look(
        &mut self,
        hour: Hour,
        runs: &HourRuns,
        account: &HourAccount,
        (what, origins): (LookedAt<'_>, &Origins),
    ) -> std::io::Result<()> {
        let part = match what {
            LookedAt::Whole(part) => part,
            LookedAt::Stretch(run, number) => {
                if self
                    .through
                    .get(run)
                    .is_some_and(|through| number <= *through)
                {
                    return Ok(());
                }
                run
            }
        };
        let seen = Sighting::of(&self.list, hour, runs, &origins.on(hour))?;
        match what {
            LookedAt::Whole(part) => self.forget(hour, part),
            LookedAt::Stretch(run, number) => {
                // A capture continues one journal.
                self.through.retain(|known, _| known == run);
                self.through.insert(run.to_owned(), number);
            }
        }
        self.is_changed = true;
        self.advance(hour, account);
        self.left_out = self.left_out.saturating_add(seen.left_out);
        let blocks = self.blocks.entry(hour.0).or_default();
        let blocks = blocks.entry(part.to_owned()).or_default();
        for (block, counts) in seen.blocks {
            let known = blocks.entry(block).or_default();
            for (address, packets) in counts {
                *known.entry(address).or_default() += packets;
            }
        }
        for (key, tally) in seen.tallies {
            self.follow(key, hour.0, part, tally);
        }
        for (key, tally) in seen.impossible {
            match self.impossible.get_mut(&key) {
                Some(known) => known.add(&tally),
                None => drop(self.impossible.insert(key, tally)),
            }
        }
        self.judge();
        Ok(())
    }

    /// The stretches up to this number of a journal were looked at, under whatever number they had then.
    pub fn pass_through(&mut self, run: &str, number: u64) {
        let known = self.through.entry(run.to_owned()).or_default();
        *known = number.max(*known);
        self.is_changed = true;
    }

    fn advance(&mut self, hour: Hour, account: &HourAccount) {
        let last = account.active.iter().last().map(|second| second as i64 + 1);
        let known_us = hour.start_us() + last.unwrap_or(0) * 1_000_000;
        self.now_us = self.now_us.max(Some(known_us));
    }

    fn forget(&mut self, hour: Hour, part: &str) {
        if let Some(parts) = self.blocks.get_mut(&hour.0) {
            parts.remove(part);
        }
        for events in self.events.values_mut() {
            events
                .iter_mut()
                .for_each(|event| event.forget(hour.0, part));
            events.retain(|event| event.bounds().is_some());
        }
        self.events.retain(|_, events| !events.is_empty());
    }

    /// Adds sums to the event that no long silence parts them from, or begins one.
    fn follow(&mut self, key: WatchedKey, hour: i64, part: &str, tally: WatchedTally) {
        if self.events.len() >= EVENTS_MAX && !self.events.contains_key(&key) {
            self.left_out = self.left_out.saturating_add(tally.packets);
            return;
        }
        let silence_us = self.list.rules.silence_us();
        let (first_us, last_us) = (tally.first_us, tally.last_us);
        let events = self.events.entry(key).or_default();
        let is_near = |event: &WatchedEvent| {
            event.bounds().is_some_and(|(first, last)| {
                first_us.saturating_sub(last) <= silence_us
                    && first.saturating_sub(last_us) <= silence_us
            })
        };
        let (near, apart): (Vec<_>, Vec<_>) = std::mem::take(events).into_iter().partition(is_near);
        let mut near = near.into_iter();
        let mut event = match near.next() {
            Some(mut event) => {
                event.add(hour, part, tally);
                event
            }
            None => WatchedEvent::begin(hour, part, tally),
        };
        near.for_each(|other| event.unite(other));
        event.shorten();
        *events = apart;
        events.push(event);
        events.sort_by_key(WatchedEvent::bounds);
    }

    /// Decides what is to be told now.
    fn judge(&mut self) {
        let now_us = self.now_us.unwrap_or(i64::MIN);
        self.note_impossible();
        let all = self.hour_blocks();
        let mut events = std::mem::take(&mut self.events);
        let mut carpets = BTreeMap::<WatchedKey, Vec<WatchedTally>>::new();
        for (key, of_key) in &mut events {
            let Some(owner) = self.owner(&key.owner).map(|owner| owner.number) else {
                continue;
            };
            if key.address.prefix_bits.is_some() {
                continue;
            }
            of_key.retain_mut(|event| {
                let (Some(sum), Some(bounds)) = (event.sum(), event.bounds()) else {
                    return false;
                };
                let is_over = now_us.saturating_sub(bounds.1) > self.list.rules.silence_us();
                if event.told.is_none() && !is_enough(key.kind, &sum, &self.list.rules) {
                    if key.kind == AlertKind::Attack && !is_over {
                        let prefix = WatchedKey {
                            address: key.address.carpet_prefix(),
                            ..key.clone()
                        };
                        carpets.entry(prefix).or_default().push(sum);
                    }
                    return !is_over;
                }
                if let Some(why) = self.why_not(key, owner, event, &sum, &all) {
                    if !event.is_withheld {
                        event.is_withheld = true;
                        self.untold.push(withheld(key, &sum, why));
                    }
                    return !is_over;
                }
                !self.tell(key, event, &sum)
            });
        }
        for (key, victims) in carpets {
            let mut sums = victims.iter();
            let Some(mut sum) = sums.next().cloned() else {
                continue;
            };
            sums.for_each(|other| sum.add(other));
            if victims.len() as u64 >= self.list.rules.carpet_victims
                && is_enough(AlertKind::Attack, &sum, &self.list.rules)
            {
                let events = events.entry(key).or_default();
                // What is known of its victims is all that is known of it.
                let mut event = events.pop().unwrap_or_default();
                event.hours.clear();
                event.before = None;
                event.add(hour_of(sum.last_us), "carpet", sum);
                event.victims = victims.len() as u64;
                events.push(event);
            }
        }
        for (key, of_key) in &mut events {
            if key.address.prefix_bits.is_some() {
                of_key.retain_mut(|event| {
                    event.sum().is_some_and(|sum| !self.tell(key, event, &sum))
                });
            }
        }
        events.retain(|_, of_key| !of_key.is_empty());
        self.events = events;
        let newest = hour_of(now_us);
        self.blocks.retain(|hour, _| *hour >= newest - BLOCK_HOURS);
    }

    /// Blocks of each hour, all parts together.
    fn hour_blocks(&self) -> BTreeMap<i64, HourBlocks> {
        let mut all = BTreeMap::new();
        for (hour, parts) in &self.blocks {
            let mut parts = parts.values();
            let mut sum = parts.next().cloned().unwrap_or_default();
            for blocks in parts {
                for (block, counts) in blocks {
                    let known = sum.entry(*block).or_default();
                    for (address, packets) in counts {
                        *known.entry(*address).or_default() += packets;
                    }
                }
            }
            all.insert(*hour, sum);
        }
        all
    }

    /// Why the packets of an event prove nothing about their source; none if they do.
    fn why_not(
        &self,
        key: &WatchedKey,
        owner: u64,
        event: &mut WatchedEvent,
        sum: &WatchedTally,
        blocks: &BTreeMap<i64, HourBlocks>,
    ) -> Option<String> {
        // A sender of forged packets sees no answer, so his packets have no mark of a scanner that waits for one.
        let is_attack = key.kind == AlertKind::Attack;
        if event.is_own || event.told.is_some() || is_attack || sum.marked > 0 {
            event.is_own = true;
            return None;
        }
        if are_reflected(sum.requests, sum.destinations()) {
            return Some(format!(
                "{} requests to {} dark addresses: somebody sends them over and over in the name of this address, which answers would \
                 hit (an attack by reflection)",
                sum.requests,
                sum.destinations()
            ));
        }
        if sum.requests == sum.packets && are_open(sum.requests, sum.destinations()) {
            return Some(format!(
                "{} requests to {} dark addresses: too few to tell a scan for reflectors from somebody who sends in the name of this address",
                sum.requests,
                sum.destinations()
            ));
        }
        let mut chance = Chance::default();
        let block = AddressBlock::of(owner, key.kind, key.address);
        for blocks in event.hours.keys().filter_map(|hour| blocks.get(hour)) {
            chance.add(block, key.address, blocks);
        }
        if !chance.explains() {
            event.is_own = true;
            return None;
        }
        Some(format!(
            "{} packets, no more than chance gives an address when sources are forged: {} other addresses of its {} were seen",
            sum.packets,
            chance.others,
            match key.address.ip_version {
                4 => "/24",
                _ => "/120",
            }
        ))
    }

    /// Tells what there is to tell of an event; whether it is over.
    fn tell(&mut self, key: &WatchedKey, event: &mut WatchedEvent, sum: &WatchedTally) -> bool {
        let rules = self.list.rules;
        let now_us = self.now_us.unwrap_or(i64::MIN);
        let (severity, why) = severity(key.kind, sum);
        let severity = event
            .told
            .map_or(severity, |told| told.severity.max(severity));
        // The sums of a carpet are those of victims that are still attacked.
        let first_us = event
            .told
            .map_or(sum.first_us, |told| told.first_us.min(sum.first_us));
        let packets = event
            .told
            .map_or(sum.packets, |told| told.packets.max(sum.packets));
        let bounds = (first_us, sum.last_us);
        let states = tellings(event, bounds, severity, now_us, &rules);
        let id = event.id.get_or_insert_with(|| {
            let address = key.address.text();
            id_of(&format!(
                "{} {} {:?} {address} {first_us}",
                self.sensor, key.owner, key.kind
            ))
        });
        let id = id.clone();
        for state in &states {
            let of_state = match state {
                AlertState::Ongoing => format!("{id} ongoing {}", sum.last_us),
                state => format!("{id} {state:?}"),
            };
            let mut evidence = sum.evidence();
            let (hours, count) = event.hours_seen();
            let is_carpet = key.address.prefix_bits.is_some();
            let shown = hours.iter().rev().take(HOURS_SHOWN).rev();
            let shown: Vec<String> = shown.map(|hour| Hour(*hour).to_string()).collect();
            evidence["why"] = json!(why);
            evidence["hours"] = json!(shown);
            evidence["hour_count"] = json!(if is_carpet { hours.len() as u64 } else { count });
            if key.kind == AlertKind::Attack {
                evidence["victims"] = json!(event.victims.max(1));
                evidence["packets_per_minute"] = json!(sum.per_minute_max);
                evidence["attack_pps"] = json!(AttackRules::attack_pps(
                    sum.per_minute_max,
                    key.address.ip_version,
                    &self.telescope
                ));
            }
            let address = key.address.text();
            let (src_ip, victim_ip) = match key.kind {
                AlertKind::Attack => (None, Some(address)),
                _ => (Some(address), None),
            };
            let contact = self.owner(&key.owner).map(|owner| owner.contact.clone());
            self.untold.push(Telling::Alert(Box::new(Alert {
                id: id_of(&of_state),
                event: id.clone(),
                owner: key.owner.clone(),
                contact: contact.unwrap_or_default(),
                state: *state,
                kind: key.kind,
                severity,
                src_ip,
                victim_ip,
                sensor: self.sensor.clone(),
                first: time(first_us),
                last: time(sum.last_us),
                packets,
                evidence,
            })));
        }
        if !states.is_empty() {
            event.told = Some(Told {
                first_us,
                last_us: sum.last_us,
                packets,
                severity,
            });
        }
        states.contains(&AlertState::Ended)
    }

    /// What is to be told and is not yet on its way.
    #[must_use]
    pub fn take_untold(&mut self) -> Vec<Telling> {
        std::mem::take(&mut self.untold)
    }

    /// Puts what is to be told into the queues, and keeps what is known; with [`Outbox::Kept`] nothing is written.
    ///
    /// # Errors
    /// When the disk fails: then the rest is put the next time.
    pub fn commit(&mut self) -> std::io::Result<Committed> {
        let mut committed = Committed::default();
        if matches!(self.outbox, Outbox::Kept) || !self.is_changed {
            return Ok(committed);
        }
        while let Some(telling) = self.untold.first() {
            match telling {
                Telling::Alert(alert) => {
                    committed.alerts += 1;
                    committed.dropped += put(&self.list, &mut self.queues, alert)?;
                }
                Telling::Withheld(withheld) => {
                    committed.withheld += 1;
                    note_withheld(&self.store, withheld)?;
                }
            }
            self.untold.remove(0);
        }
        let state = WatcherState {
            now_us: self.now_us,
            through: self.through.clone(),
            events: self
                .events
                .iter()
                .map(|(key, events)| (key.clone(), events.clone()))
                .collect(),
        };
        let text = serde_json::to_string(&state)?;
        let folder = self.store.alerts_folder();
        self.store
            .write_document(&folder, &document_of(&self.name), &text)?;
        self.is_changed = false;
        committed.left_out = std::mem::take(&mut self.left_out);
        Ok(committed)
    }

    fn note_impossible(&mut self) {
        for (key, sum) in std::mem::take(&mut self.impossible) {
            let why =
                "no host can have sent packets with this source to where they went (class spoofed)";
            self.untold.push(withheld(&key, &sum, why.to_owned()));
        }
    }

    fn owner(&self, name: &str) -> Option<&WatchedOwner> {
        self.list.watched.iter().find(|owner| owner.owner == name)
    }
}

fn withheld(key: &WatchedKey, sum: &WatchedTally, why: String) -> Telling {
    Telling::Withheld(Withheld {
        owner: key.owner.clone(),
        kind: key.kind,
        src_ip: key.address.text(),
        first: time(sum.first_us),
        packets: sum.packets,
        why,
    })
}

fn id_of(text: &str) -> String {
    hexadecimal(&XxHash64::oneshot(0, text.as_bytes()).to_be_bytes())
}

fn document_of(name: &str) -> String {
    format!("{name}.json")
}

/// Puts an alert into the queues of its owner's sinks; in how many there is no room.
fn put(
    list: &WatchList,
    queues: &mut BTreeMap<String, DocumentQueue>,
    alert: &Alert,
) -> std::io::Result<u64> {
    let owner = list.watched.iter().find(|owner| owner.owner == alert.owner);
    let named = owner.map_or(&[][..], |owner| &owner.sinks);
    let text = serde_json::to_string(alert)?;
    let order = alert.last_us().unwrap_or(0);
    let mut dropped = 0;
    for (name, queue) in queues {
        let is_for_it = named.is_empty() || named.contains(name);
        if is_for_it && queue.put(order, &alert.id, &text)? == Put::Full {
            dropped += 1;
        }
    }
    Ok(dropped)
}

/// Appends a line to the file of what was not told.
fn note_withheld(store: &Store, withheld: &Withheld) -> std::io::Result<()> {
    let folder = store.alerts_folder();
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(WITHHELD);
    let length = std::fs::metadata(&path).map_or(0, |found| found.len());
    let options = || {
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .to_owned()
    };
    if length > WITHHELD_BYTES_MAX {
        std::fs::remove_file(&path)?;
    }
    let line = format!("{}\n", serde_json::to_string(withheld)?);
    std::io::Write::write_all(&mut options().open(path)?, line.as_bytes())
}
