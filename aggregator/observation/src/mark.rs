//! MARKS: what one packet alone shows of the tool that sent it. A mark is a claim; whether the claim stands is a matter of the
//! source's other packets and decided at the hour's close (`evidence.rs`). How a packet comes by its mark is the sensor's business.

use crate::spelled;
use crate::words::Tool;

spelled! {
    /// What a packet shows of its tool. The first marks are one for each tool, in the order of the tools: a row of the tables bears
    /// that of the tool which its source's packets confirm.
    Mark {
        None = "none",
        ZmapId = "zmap-id",
        ZmapWindows = "zmap-windows",
        MasscanHash = "masscan-hash",
        MiraiSequence = "mirai-sequence",
        NmapShape = "nmap-shape",
        UnicornscanKey = "unicornscan-key",
        ZmapIdShape = "zmap-id-shape",
        ZmapLinux = "zmap-linux",
        ZmapBsd = "zmap-bsd",
        ZmapSmallest = "zmap-smallest",
        MasscanShape = "masscan-shape",
    }
}

const _: () = {
    let mut code = 0;
    while code < Tool::ALL.len() {
        assert!(Mark::ALL[code].tool() as usize == code);
        code += 1;
    }
};

impl Mark {
    /// The tool that the mark is of.
    #[must_use]
    pub const fn tool(self) -> Tool {
        match self {
            Mark::None => Tool::None,
            Mark::ZmapId | Mark::ZmapIdShape => Tool::Zmap,
            Mark::ZmapWindows | Mark::ZmapLinux | Mark::ZmapBsd | Mark::ZmapSmallest => {
                Tool::ZmapStack
            }
            Mark::MasscanHash | Mark::MasscanShape => Tool::Masscan,
            Mark::MiraiSequence => Tool::Mirai,
            Mark::NmapShape => Tool::Nmap,
            Mark::UnicornscanKey => Tool::Unicornscan,
        }
    }

    /// The mark that stands for a tool in a row of the tables.
    #[must_use]
    pub const fn of(tool: Tool) -> Self {
        Mark::ALL[tool as usize]
    }

    /// Whether it is more than 16 bits that could match by chance: the packet is one of its tool, whatever else its source sends.
    #[must_use]
    pub const fn stands_alone(self) -> bool {
        matches!(
            self,
            Mark::MiraiSequence | Mark::ZmapIdShape | Mark::MasscanShape
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_mark_that_is_its_own() {
        for &tool in Tool::ALL {
            assert_eq!(Mark::of(tool).tool(), tool);
        }
    }
}
