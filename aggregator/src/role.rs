//! The role of a source in an hour: whether it probes a single service, many addresses, many ports, or answers.
//!
//! The words are those of N. Brownlee, "One-way Traffic Monitoring with iatmon" (PAM 2012); the limits between them are ours. A role
//! depends only on the source's rows in one part of an hour: not on their order, other sources or a clock.

use std::convert::Infallible;

use crate::destinations::View;
use teiten_observation::{Address, Class, Kind, spelled};

/// Packets that a source must have sent before it is given a role.
pub const ROLE_PACKETS_MIN: u64 = 3;
/// Services, or dark addresses, that are still few: JPCERT/CC calls a source that asks for more than ten ports a survey.
pub const FEW_MAX: usize = 10;
/// A source is mixed if at least one in this many of its packets is of the other kind (answers among questions).
pub const MIXED_SHARE: u64 = 10;

spelled! {
    /// The part a source plays.
    #[derive(Default)]
    Role {
        #[default]
        None = "",
        Probe = "probe",
        Horizontal = "horizontal",
        Vertical = "vertical",
        Block = "block",
        Backscatter = "backscatter",
        Mixed = "mixed",
    }
}

/// A row of the source, from which its role is decided.
#[derive(Clone, Copy, Debug)]
pub struct RoleRow<'a, A> {
    /// What its packets are.
    pub kind: Kind,
    /// How many.
    pub packets: u64,
    /// Their dark destinations.
    pub destinations: View<'a, A>,
}

impl Role {
    /// The role of a source whose rows these are, in any order.
    ///
    /// With one tenth or more of either kind, answers (backscatter) and questions make it mixed; else the larger kind decides.
    /// Questions: one service of one address is a probe; few services at more addresses are horizontal; few addresses asked for more
    /// services are vertical; the rest is a block.
    #[must_use]
    pub fn of<'a, A: Address>(rows: impl Iterator<Item = RoleRow<'a, A>> + Clone) -> Role {
        let mut sums = RoleSums::default();
        for row in rows.clone() {
            sums.add(row.kind.class(), row.packets);
        }
        sums.role(rows)
    }
}

/// Packets of a source, and its answers among them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoleSums {
    packets: u64,
    answers: u64,
}

impl RoleSums {
    /// Adds the packets of a row.
    #[inline(always)]
    pub(crate) fn add(&mut self, class: Class, packets: u64) {
        self.packets = self.packets.saturating_add(packets);
        if is_answer(class) {
            self.answers = self.answers.saturating_add(packets);
        }
    }

    /// All packets.
    pub(crate) const fn packets(self) -> u64 {
        self.packets
    }

    /// The role of the source that has these rows, of which the first are looked at where breadth decides.
    #[inline]
    pub(crate) fn role<'a, A: Address>(
        self,
        rows: impl Iterator<Item = RoleRow<'a, A>> + Clone,
    ) -> Role {
        let breadth = || {
            let questions = rows.filter(|row| !is_answer(row.kind.class()));
            Ok::<_, Infallible>([services(questions.clone()), addresses(questions)])
        };
        match self.role_with(breadth) {
            Ok(role) => role,
        }
    }

    /// The role of the source with these sums. Where breadth decides, `breadth` says to how many services and addresses its questions go, each
    /// counted up to [`FEW_MAX`] + 1.
    ///
    /// # Errors
    /// What `breadth` returns.
    #[inline]
    pub(crate) fn role_with<E>(
        self,
        breadth: impl FnOnce() -> Result<[usize; 2], E>,
    ) -> Result<Role, E> {
        let RoleSums { packets, answers } = self;
        if packets < ROLE_PACKETS_MIN {
            return Ok(Role::None);
        }
        let fewer = answers.min(packets - answers);
        if fewer > 0 && fewer.saturating_mul(MIXED_SHARE) >= packets {
            Ok(Role::Mixed)
        } else if answers > packets - answers {
            Ok(Role::Backscatter)
        } else {
            breadth().map(|[services, addresses]| of_breadth(services, addresses))
        }
    }
}

/// The role of requests, by the numbers of services and addresses, each counted up to `FEW_MAX` + 1.
fn of_breadth(services: usize, addresses: usize) -> Role {
    if services == 1 && addresses == 1 {
        Role::Probe
    } else if services <= FEW_MAX && addresses > services {
        Role::Horizontal
    } else if addresses <= FEW_MAX && services > addresses {
        Role::Vertical
    } else {
        Role::Block
    }
}

/// Whether packets of a class are answers: all others are questions.
pub(crate) fn is_answer(class: Class) -> bool {
    class == Class::Backscatter
}

/// Distinct members, counted up to one more than are few.
#[derive(Debug)]
struct FewMembers<T> {
    members: [T; FEW_MAX + 1],
    count: usize,
}

impl<T: Copy + PartialEq> FewMembers<T> {
    fn new(filler: T) -> Self {
        FewMembers {
            members: [filler; FEW_MAX + 1],
            count: 0,
        }
    }

    fn insert(&mut self, member: T) {
        if !self.is_full() && !self.members[..self.count].contains(&member) {
            self.members[self.count] = member;
            self.count += 1;
        }
    }

    fn is_full(&self) -> bool {
        self.count > FEW_MAX
    }
}

/// Services asked for: a protocol with its port, or a protocol that has none.
fn services<'a, A: Address>(rows: impl Iterator<Item = RoleRow<'a, A>>) -> usize {
    let mut distinct = FewMembers::new((0, None));
    for row in rows {
        distinct.insert((row.kind.protocol(A::FAMILY), row.kind.port()));
        if distinct.is_full() {
            break;
        }
    }
    distinct.count
}

/// Dark destinations of packets.
fn addresses<'a, A: Address>(rows: impl Iterator<Item = RoleRow<'a, A>>) -> usize {
    let mut distinct = FewMembers::new(A::from_number(0));
    for row in rows {
        match row.destinations {
            View::Few(members) if members.len() <= FEW_MAX => {
                members.iter().for_each(|address| distinct.insert(*address));
            }
            many if many.count() > FEW_MAX as u64 => return FEW_MAX + 1,
            few => few.each(|address| distinct.insert(address)),
        }
        if distinct.is_full() {
            break;
        }
    }
    distinct.count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destinations::DestinationSet;
    use proptest::prelude::*;
    use teiten_observation::{Tool, TrafficType};

    type Row = (Kind, u64, DestinationSet<u32>);

    fn row(class: Class, port: u16, packets: u64, addresses: &[u32]) -> Row {
        let traffic_type = match class {
            Class::Backscatter => TrafficType::TcpSynAck,
            _ => TrafficType::TcpSyn,
        };
        let mut destinations = DestinationSet::new();
        addresses.iter().for_each(|one| destinations.insert(*one));
        let kind = Kind::new(traffic_type, class, Tool::None, 6, Some(port));
        (kind, packets, destinations)
    }

    fn role(rows: &[Row]) -> Role {
        Role::of(rows.iter().map(|(kind, packets, destinations)| RoleRow {
            kind: *kind,
            packets: *packets,
            destinations: destinations.view(),
        }))
    }

    /// A scanner that asks for each of so many ports at each of so many addresses, or at one of them in turn.
    fn scanner(ports: u16, addresses: u32, in_turn: bool) -> Vec<Row> {
        let all: Vec<u32> = (0..addresses).collect();
        let asked = |port: u16| match in_turn {
            true => vec![u32::from(port) % addresses],
            false => all.clone(),
        };
        (0..ports)
            .map(|port| row(Class::Scan, port, 3, &asked(port)))
            .collect()
    }

    #[test]
    fn breadth_decides_what_kind_of_scan_it_is() {
        for (ports, addresses, expected) in [
            (1, 1, Role::Probe),
            (1, 2, Role::Horizontal),
            (1, 200, Role::Horizontal),
            (10, 11, Role::Horizontal),
            (10, 5_000, Role::Horizontal),
            (2, 1, Role::Vertical),
            (400, 10, Role::Vertical),
            (2, 2, Role::Block),
            (10, 10, Role::Block),
            (11, 11, Role::Block),
            (400, 300, Role::Block),
        ] {
            let rows = scanner(ports, addresses, false);
            assert_eq!(role(&rows), expected, "{ports} {addresses}");
        }
    }

    #[test]
    fn addresses_are_counted_over_all_rows_together() {
        assert_eq!(role(&scanner(400, 1, true)), Role::Vertical);
        assert_eq!(role(&scanner(400, 10, true)), Role::Vertical);
        assert_eq!(role(&scanner(400, 11, true)), Role::Block);
        assert_eq!(role(&scanner(400, 400, true)), Role::Block);
    }

    #[test]
    fn two_packets_are_too_few_for_a_role() {
        let one = |packets| role(&[row(Class::Scan, 23, packets, &[1])]);
        assert_eq!((one(2), one(3)), (Role::None, Role::Probe));
        assert_eq!(Role::None.name(), "");
    }

    #[test]
    fn answers_are_backscatter_unless_questions_stand_beside_them() {
        let both = |answers, questions| {
            role(&[
                row(Class::Backscatter, 80, answers, &[1, 2, 3]),
                row(Class::Scan, 23, questions, &[1]),
            ])
        };
        assert_eq!(both(91, 9), Role::Backscatter);
        assert_eq!(both(90, 10), Role::Mixed);
        assert_eq!(both(10, 90), Role::Mixed);
        assert_eq!(both(9, 91), Role::Probe);
        assert_eq!(
            role(&[row(Class::Backscatter, 80, 3, &[1])]),
            Role::Backscatter
        );
    }

    #[test]
    fn a_service_is_a_protocol_and_a_port() {
        let udp = Kind::new(TrafficType::Udp, Class::Scan, Tool::None, 17, Some(53));
        let tcp = row(Class::Scan, 53, 2, &[1]);
        assert_eq!(
            role(&[tcp.clone(), (udp, 2, tcp.2.clone())]),
            Role::Vertical
        );
        let marked = Kind::new(TrafficType::TcpSyn, Class::Scan, Tool::Zmap, 6, Some(53));
        assert_eq!(role(&[tcp.clone(), (marked, 2, tcp.2)]), Role::Probe);
    }

    proptest! {
        #[test]
        fn no_order_and_no_form_of_the_sets_changes_a_role(
            mut rows in prop::collection::vec(
                (0..2usize, 0..20u16, 1..40u64, prop::collection::vec(0..400u32, 1..200)), 1..30),
            turn in 0..30usize,
        ) {
            let class = [Class::Scan, Class::Backscatter];
            let of = |rows: &[(usize, u16, u64, Vec<u32>)]| {
                let rows = rows.iter().map(|(of, port, packets, to)| row(class[*of], *port, *packets, to));
                role(&rows.collect::<Vec<_>>())
            };
            let before = of(&rows);
            let length = rows.len();
            rows.rotate_left(turn % length);
            rows.iter_mut().for_each(|row| row.3.reverse());
            prop_assert_eq!(of(&rows), before);
        }
    }
}
