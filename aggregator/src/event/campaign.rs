//! Campaigns: groups of sources that act alike on a day, and what becomes of them from day to day.
//!
//! Nothing is trained and nothing is random. `traits` says in a few numbers what a source did: which services it asks for and how its packets
//! are spread over them, with which stack, tool, traffic type. Sources of equal traits are a core; `group` joins cores that are alike, `likeness`
//! says how much. `infected` is the rule for infected hosts that are not Mirai. `profile` is what a group did in the day, `follow` finds it again among those that are known, `matching` decides between
//! several. `known` is what one day leaves to the next.
//!
//! Limits, by name: [`traits::SERVICES_MAX`], [`group::CORES_MAX`], [`group::COMPARED_MAX`], [`profile::SAMPLE_MAX`], [`follow::KNOWN_MAX`],
//! [`matching::EXACT_MAX`].

pub(crate) mod follow;
pub(crate) mod group;
pub(crate) mod infected;
pub(crate) mod known;
pub(crate) mod likeness;
pub(crate) mod matching;
pub(crate) mod profile;
pub(crate) mod traits;

/// What makes a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampaignRules {
    /// Sources of a campaign, at least; one that goes on from the day before keeps its name down to half of them.
    pub sources_min: u64,
    /// Packets of the day that ask for a service and make a source's traits, at least.
    pub packets_min: u64,
}

impl Default for CampaignRules {
    fn default() -> Self {
        CampaignRules {
            sources_min: 10,
            packets_min: 3,
        }
    }
}

impl CampaignRules {
    /// The settings as text, for a note of what campaigns are made of.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{self:?}")
    }

    /// Sources below which a group is not followed.
    pub(crate) const fn followed_min(&self) -> u64 {
        self.sources_min.div_ceil(2)
    }
}
