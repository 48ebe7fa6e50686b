//! Runs a replay into a finished dataset: one pass over the input, and a second one for hours with late packets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use teiten_aggregator::actor::{ActorList, Actors};
use teiten_aggregator::alert::{
    Committed, Delivery, DeliveryReport, Outbox, Say, Telling, WatchError, Watcher,
};
use teiten_aggregator::close::{ClosedHour, Closer};
use teiten_aggregator::compact::{CompactError, take_apart_runs};
use teiten_aggregator::inputs::{counted_hours, remove_hour, restate_inputs};
use teiten_aggregator::ledger::SILENCE_SECONDS_MAX;
use teiten_aggregator::origin::{OriginError, Origins, Provenance};
use teiten_aggregator::store::{PartName, Store};
use teiten_aggregator::text::hexadecimal;
use teiten_aggregator::window::LatePolicy;
use teiten_aggregator::writer::WriteError;
use teiten_observation::Tool;
use thiserror::Error;

use crate::courier::{CourierError, DELIVERY_WAIT};
use crate::engine::worker::Reading;
use crate::engine::{Counted, EngineError, Passage, run};
use crate::hours::once::Once;
use crate::hours::opening::{identify, open_dataset};
use crate::hours::{Watching, Written};
use crate::options::{ReplayTerms, Settings, WatchSettings};
use crate::source::block::Block;
use crate::source::judge::IMPLAUSIBLE_DAYS_DEFAULT;
use crate::source::{
    Admission, Admitted, Arrival, DatasetView, FileReport, Progress, Replay, ReplaySettings,
    SourceError, WalkAhead, limit_windows,
};
use crate::watch::{KeptCounts, Status};
use teiten_packet::telescope::Telescope;

/// The sums of a closing hour may take this fraction of the memory for rows (the denominator).
const CONTRIBUTIONS_SHARE: usize = 16;

/// Workers that one thread can read for: with fewer it is the reading thread alone that walks. A walk takes some 15 to 30 ns a packet, a worker ten
/// times as long.
pub const WORKERS_A_WALK: usize = 8;

/// Why a run failed.
#[derive(Debug, Error)]
pub enum RunError {
    /// No input.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Country or network data.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The dataset cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A compacted day cannot be taken apart.
    #[error(transparent)]
    Compact(#[from] CompactError),
    /// A thread was lost, or a part cannot be written.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The service around a capture failed.
    #[error(transparent)]
    Service(#[from] crate::service::ServiceError),
    /// Who is watched.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The process or threads that deliver alerts.
    #[error(transparent)]
    Courier(#[from] CourierError),
    /// The sensor's name.
    #[error("--sensor: {0}")]
    Name(String),
}

/// What a run with `--watch` raised.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertOutcome {
    /// What was put into queues.
    pub raised: Committed,
    /// What became of it.
    pub delivery: DeliveryReport,
    /// With `--watch-test` what would have been sent.
    pub tellings: Vec<Telling>,
}

/// What a run did.
#[derive(Debug)]
pub struct Outcome {
    /// What it raised; `None` without `--watch`.
    pub alerts: Option<AlertOutcome>,
    /// What was counted.
    pub counted: Counted,
    /// What was written, with the accounts by hour.
    pub written: Written,
    /// The report of each input.
    pub files: Vec<FileReport>,
    /// Parts of an earlier replay of the same input that were removed.
    pub stale_parts: usize,
    /// Wall time.
    pub elapsed: Duration,
    /// Country data used, or none.
    pub geo: Option<String>,
    /// The status of a capture.
    pub status: Option<Arc<Status>>,
    /// Lists with rows that are not understood, a sentence each.
    pub rows_left_out: Vec<String>,
    /// The sensor and run of the parts.
    pub name: PartName,
}

impl Outcome {
    /// Observed packets by hour.
    #[must_use]
    pub fn hours(&self) -> BTreeMap<i64, u64> {
        let totals = self.written.own_totals().into_iter();
        totals
            .map(|(hour, total)| (hour, total.observed))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Packets that the kernel or an interface dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let totals = self.written.own_totals().into_values();
        totals
            .map(|total| total.dropped_kernel + total.dropped_interface)
            .sum()
    }

    /// Counts of packets for `--keep-packets`; `None` without it.
    #[must_use]
    pub fn kept(&self) -> Option<&KeptCounts> {
        let status = self.status.as_ref()?;
        status.keeps().then(|| status.kept())
    }

    /// Records with an implausible time; they are in no hour.
    #[must_use]
    pub fn implausible(&self) -> u64 {
        self.counted.tally.implausible
    }

    /// Packets whose source was folded into its prefix.
    #[must_use]
    pub fn collapsed(&self) -> u64 {
        self.closed().collapsed.iter().sum()
    }

    /// Observed packets by tool, as in the tables; `none` for packets without a tool. Only tools that occur are listed.
    #[must_use]
    pub fn tools(&self) -> BTreeMap<Tool, u64> {
        let counted = Tool::ALL.iter().copied().zip(self.closed().tools);
        counted.filter(|(_, count)| *count > 0).collect()
    }

    /// Rows, packets and bytes of all hours that this run published, including what it took over.
    #[must_use]
    pub fn closed(&self) -> ClosedHour {
        let mut sum = self.written.past.clone();
        self.written.hours.values().for_each(|hour| sum.add(hour));
        sum
    }
}

/// Replays `paths` into the dataset of `settings`; `progress` is called regularly.
///
/// # Errors
/// When there is nothing to read, data of the settings is unusable, or a part cannot be written.
pub fn replay(
    paths: &[PathBuf],
    terms: impl Into<ReplayTerms>,
    settings: &Settings,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, RunError> {
    let begun = Instant::now();
    let ReplayTerms {
        reading,
        recount,
        watch_test,
    } = terms.into();
    let replay_settings = ReplaySettings {
        reading,
        implausible_days: settings.implausible_days,
        // Few workers never wait for one walk.
        walk_ahead: match settings.workers / WORKERS_A_WALK {
            0 => None,
            threads => Some(WalkAhead::on(threads)),
        },
    };
    limit_windows(settings.memory_bytes);
    let watch = settings
        .watch
        .as_ref()
        .map(WatchSettings::load)
        .transpose()?;
    let admission = Admission::begin(paths, replay_settings)?;
    let telescope = Arc::new(Telescope::new(&settings.telescope, &settings.exclude));
    let mut closer = closer(settings, &telescope, "")?;
    let of_dataset = |source| WriteError::File {
        path: settings.data.clone(),
        source,
    };
    let store = closer.store.clone();
    // Two concurrent replays could both count a new capture, so the second one waits.
    let _one_at_a_time = open_dataset(&store, |store| {
        store.lock(&format!("replay-{}", settings.sensor)).map(Some)
    })?;
    let Admitted {
        replay: mut source,
        run: run_name,
        contributors,
        replaced,
    } = admission
        .admit(DatasetView {
            scratch: &store.private_folder(),
            sensor: &settings.sensor,
            configuration_sha256: &closer.configuration_sha256,
            hours: counted_hours(&store).map_err(of_dataset)?,
            recount,
        })
        .map_err(of_dataset)?;
    // Parts that this run replaces or removes are files of their own again, also where their day was compacted.
    let replaced_runs = replaced.iter().map(|(name, _)| name.clone());
    let own_run = PartName {
        run: run_name.clone(),
        ..closer.name.clone()
    };
    take_apart_runs(&store, &replaced_runs.chain([own_run]).collect())?;
    if !replaced.is_empty() {
        contributors.withhold();
    }
    // Not random: the same input gives the same bytes on any machine.
    let seed = closer.configuration_sha256.clone();
    identify(&mut closer, Some(&seed))?;
    closer.name.run = run_name;
    closer.inputs = Some(Arc::clone(&contributors));
    let watcher = watch.as_ref().map(|list| {
        let outbox = if watch_test {
            Outbox::Kept
        } else {
            Outbox::Queues
        };
        let role = (&settings.sensor[..], "replay");
        Watcher::open(&store, role, Arc::clone(list), closer.addresses, outbox)
    });
    let mut watching = Watching::by(watcher.transpose()?);
    let delivers = settings.watch.as_ref().is_some_and(|watch| watch.delivers);
    let delivery = match &watch {
        Some(list) if delivers && !watch_test => {
            let say: Say = Arc::new(|text| crate::log::say(format_args!("teiten-sensor: {text}")));
            let started = Delivery::start(&settings.data, list, &say);
            Some(started.map_err(CourierError::System)?)
        }
        _ => None,
    };
    let again = source.reopen();
    let policy = if again.is_some() {
        LatePolicy::Reread
    } else {
        LatePolicy::Reopen
    };
    let mut passage = Passage {
        telescope,
        workers: settings.workers,
        memory_bytes: settings.memory_bytes,
        policy,
        reading: Reading::First,
        payloads: settings.payloads,
        status: None,
        checkpoint: None,
        observed_from_us: None,
    };
    let mut written = Written::new(SILENCE_SECONDS_MAX);
    let counted = run(
        &mut |reuse| next(&mut source, reuse, progress),
        &passage,
        &mut Once::new(&closer, (&mut written, &mut watching), true),
    )?;
    written.add_late(&counted.late);
    if let (Some(mut source), false) = (again, counted.late.is_empty()) {
        let hours: BTreeSet<i64> = counted.late.keys().copied().collect();
        written.forget(hours.iter().copied());
        passage.reading = Reading::Again(Arc::new(hours));
        run(
            &mut |reuse| next(&mut source, reuse, progress),
            &passage,
            &mut Once::new(&closer, (&mut written, &mut watching), false),
        )?;
    }
    written.flush_coverage(&closer)?;
    let mut stale_parts = written.remove_stale(&closer)?;
    for (name, hour) in replaced.iter().filter(|(name, _)| *name != closer.name) {
        stale_parts += remove_hour(&store, name, *hour).map_err(of_dataset)?;
    }
    let files = source.finish();
    contributors.release();
    restate_inputs(&store, &closer.name, &contributors).map_err(of_dataset)?;
    let raised = watching.committed();
    let delivery = delivery.map(|delivery| delivery.finish(DELIVERY_WAIT));
    let alerts = raised.map(|raised| AlertOutcome {
        raised,
        delivery: delivery.unwrap_or_default(),
        tellings: watching.into_tellings(),
    });
    Ok(Outcome {
        alerts,
        counted,
        stale_parts,
        written,
        files,
        elapsed: begun.elapsed(),
        geo: geo_text(&closer.origins),
        status: None,
        rows_left_out: rows_left_out(&closer.origins).collect(),
        name: closer.name,
    })
}

fn next(source: &mut Replay, reuse: Block, progress: &mut dyn FnMut(&Progress)) -> Option<Arrival> {
    let block = source.next_block(reuse)?;
    progress(&source.progress());
    Some(Arrival::of(block))
}

/// Everything that closing hours needs, from the settings.
///
/// # Errors
/// When the sensor's name or the origin data is unusable.
pub fn closer(
    settings: &Settings,
    telescope: &Telescope,
    run_name: &str,
) -> Result<Closer, RunError> {
    let name = PartName::new(&settings.sensor, run_name).map_err(RunError::Name)?;
    let origins = origins(settings)?;
    Ok(Closer {
        store: Store::at(&settings.data),
        name,
        // It is read from the dataset before publishing.
        identity: String::new(),
        configuration_sha256: configuration_sha256(settings),
        origins: Arc::new(origins),
        addresses: telescope.size(),
        threads: settings.workers,
        source_rows_max: settings.source_rows_max,
        contributions_bytes: settings.memory_bytes / CONTRIBUTIONS_SHARE,
        inputs: None,
        journal_through: None,
    })
}

/// Countries, networks and actors, as the settings name them.
///
/// # Errors
/// The first file that is unusable.
pub fn origins(settings: &Settings) -> Result<Origins, OriginError> {
    let geo = if settings.geo.is_empty() {
        Origins::find_default()
    } else {
        settings.geo.clone()
    };
    let actors = Actors::load(&settings.actors, settings.default_actors)?;
    let origins = Origins::load(&geo, &settings.asn)?.with_actors(actors);
    for text in rows_left_out(&origins) {
        tracing::warn!("{text}");
    }
    Ok(origins)
}

/// For each list with rows that are not understood: how many, and the first of them.
pub(crate) fn rows_left_out(origins: &Origins) -> impl Iterator<Item = String> {
    let data = origins.provenance().iter().filter_map(Provenance::left_out);
    let lists = origins
        .actors()
        .lists()
        .iter()
        .filter_map(ActorList::left_out);
    data.chain(lists)
}

/// A hash of the settings that affect the tables; folders and threads do not.
fn configuration_sha256(settings: &Settings) -> String {
    let mut text = format!("sensor {}\n", settings.sensor);
    for (name, prefixes) in [
        ("telescope", &settings.telescope),
        ("exclude", &settings.exclude),
    ] {
        for prefix in prefixes {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name} {prefix:?}");
        }
    }
    if !settings.payloads {
        text.push_str("payloads none\n");
    }
    if settings.implausible_days != IMPLAUSIBLE_DAYS_DEFAULT {
        let _ = writeln!(text, "implausible days {}", settings.implausible_days);
    }
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

/// Names and dates of the origin data, or none.
pub(crate) fn geo_text(origins: &Origins) -> Option<String> {
    let names: Vec<String> = origins
        .provenance()
        .iter()
        .map(|data| format!("{} ({})", data.name, data.date))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}
