//! Valid rows of every form, and invalid ones.

use super::*;

fn countries(text: &str) -> FileRanges<Country> {
    read(text.as_bytes()).expect("good rows").0
}

fn asns(text: &str) -> FileRanges<Asn> {
    read(text.as_bytes()).expect("good rows").0
}

fn v4<V: Value + std::fmt::Debug>(ranges: &FileRanges<V>) -> Vec<(u32, u32, V)> {
    ranges
        .v4
        .iter()
        .map(|range| (range.first, range.last, range.value))
        .collect()
}

fn japan() -> Country {
    Country::from_letters(*b"JP").expect("assigned")
}

#[test]
fn a_column_of_addresses_is_never_the_value() {
    for names in ["first,asn,x", "asn,last,x", "from,network,asn,asn"] {
        let text = format!("{names}\n1.0.0.0,1.0.0.255,13335\n");
        let expected = [(0x0100_0000, 0x0100_00ff, Asn(13335))];
        assert_eq!(v4(&asns(&text)), expected, "{text}");
    }
}

#[test]
fn ranges_are_read_in_decimal_dotted_and_quoted() {
    for text in [
        "# a comment\n16777216,16777471,JP\n",
        "1.0.0.0,1.0.0.255,JP",
        "start,end,country\r\n\"1.0.0.0\",\"1.0.0.255\",\"jp\"\r\n",
        "1.0.0.0\t1.0.0.255\t13335\tJP\tSOME-NET\n",
        "16777216,16777471,JP,JPN,Japan\n",
        "2|apnic|20260101|3|19830613|20251231|+1000\napnic|*|ipv4|*|1|summary\napnic|JP|ipv4|1.0.0.0|256|20110811|allocated|A91\n",
    ] {
        assert_eq!(
            v4(&countries(text)),
            [(0x0100_0000, 0x0100_00ff, japan())],
            "{text}"
        );
    }
}

#[test]
fn ipv6_stands_beside_ipv4() {
    let ranges = countries(
        "apnic|JP|ipv6|2001:200::|35|19990813|allocated\napnic|JP|asn|173|1|20020801|allocated\n",
    );
    assert!(ranges.v4.is_empty());
    assert_eq!(ranges.v6[0].last, 0x2001_0200_1fff_ffff_ffff_ffff_ffff_ffff);
    assert_eq!(countries("::,::1,JP\n::2,::3,JP\n").v6.len(), 2);
}

#[test]
fn delegated_files_give_their_last_date_and_skip_what_is_free() {
    let ranges = countries(
        "2.3|arin|20260102|1|19700101|20260101|-0400\narin||ipv4|23.128.0.0|256||available|\n",
    );
    assert_eq!(ranges.date, Some(jiff::civil::date(2026, 1, 1)));
    assert!(ranges.v4.is_empty());
}

#[test]
fn as_numbers_are_read_from_prefixes_and_ranges() {
    let expected = [(0x0100_0000, 0x0100_00ff, Asn(13335))];
    for text in [
        "1.0.0.0\t24\t13335\n",
        "1.0.0.0\t24\t13335_38803\n",
        "1.0.0.0\t24\t{13335,38803}\n",
        "1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET\n",
        "1.0.0.0,1.0.0.255,AS13335,\"Cloudflare, Inc.\"\n",
    ] {
        assert_eq!(v4(&asns(text)), expected, "{text}");
    }
    assert_eq!(asns("1.0.0.0\t24\t1_2\n").oddities.several_origins, 1);
    assert_eq!(
        asns("2001:db8::\t32\t5\n").v6[0].last,
        0x2001_0db8_ffff_ffff_ffff_ffff_ffff_ffff
    );
}

#[test]
fn reversed_ranges_and_codes_without_a_country_are_counted() {
    let ranges = countries("9,5,JP\n10,11,EU\n12,13,??\n14,15,A1\n16,17,\n");
    assert_eq!(ranges.oddities.reversed, 1);
    assert_eq!(ranges.oddities.no_country, 4);
    assert_eq!(ranges.v4.len(), 4);
    assert!(
        ranges
            .v4
            .iter()
            .all(|range| range.value == Country::UNKNOWN)
    );
}

#[test]
fn the_forms_of_vendors_are_read_by_name_and_by_content() {
    let expected = [(0x0100_0000, 0x0100_00ff, japan())];
    for text in [
        "\u{feff}1.0.0.0,1.0.0.255,JP\n",
        "\u{feff}start_ip,end_ip,country\n1.0.0.0,1.0.0.255,JP\n",
        "1.0.0.0,1.0.0.255, JP \n",
        "1.0.0.0;1.0.0.255;JP\n",
        "1.0.0.0/24 JP\n",
        "1.0.0.0 - 1.0.0.255,JP\n",
        "\"16777216\",\"16777471\",\"JP\",\"Japan\"\n",
        "\"281470698520576\",\"281470698520831\",\"JP\",\"Japan\"\n",
        "::ffff:1.0.0.0,::ffff:1.0.0.255,JP\n",
        "::ffff:1.0.0.0/120,JP\n",
        "network,country,country_code,asn\n1.0.0.0/24,Japan,JP,AS13335\n",
        "1.0.0.0/24,Japan,JP,AS,Asia,AS13335,\"A, B\"\n",
        "1.0.0.0/24,\"Korea, or so\",JP\n",
        "asn,country,start_ip,end_ip\n7,JP,1.0.0.0,1.0.0.255\n",
        "1.0.0.0,1.0.0.255,OC,JP,Tokyo\n1.0.0.0,1.0.0.255,OC,JP,Kyoto\n",
    ] {
        let read = v4(&countries(text));
        assert_eq!(read[..1], expected, "{text}");
    }
    let asn = "\"ip_from\",\"ip_to\",\"cidr\",\"asn\",\"as\"\n\"16777216\",\"16777471\",\"1.0.0.0/24\",\"7\",\"A\"\n";
    let without_names = asn.split_once('\n').expect("two lines").1;
    for text in [asn, without_names] {
        assert_eq!(v4(&asns(text)), [(0x0100_0000, 0x0100_00ff, Asn(7))]);
    }
}

#[test]
fn ipv6_is_read_from_decimal_numbers() {
    let ranges = countries(
        "\"0\",\"281470681743359\",\"-\",\"-\"\n\"42540528726795050063891204319802818560\",\"42540528806023212578155541913346768895\",\"JP\",\"Japan\"\n",
    );
    assert!(ranges.v4.is_empty() && ranges.bad_rows.is_empty());
    let bounds: Vec<_> = ranges
        .v6
        .iter()
        .map(|range| (range.first, range.last))
        .collect();
    let wide = 0x2001_0200_u128 << 96;
    assert_eq!(
        bounds,
        [(0, 0xfffe_ffff_ffff), (wide, wide | u128::MAX >> 32)]
    );
    assert_eq!(ranges.v6[0].value, Country::UNKNOWN);
}

#[test]
fn what_lists_write_for_unknown_is_unknown() {
    for word in ["-", "", "None", "NULL", "\\N", "n/a", "??", "ZZ", "Unknown"] {
        let ranges = countries(&format!("1,2,JP\n3,4,{word}\n"));
        assert_eq!(ranges.v4[1].value, Country::UNKNOWN, "{word}");
        let ranges = asns(&format!("1,2,7\n3,4,{word}\n"));
        assert_eq!(ranges.v4[1].value, Asn(0), "{word}");
    }
}

#[test]
fn a_dotted_as_number_is_not_its_first_half() {
    assert_eq!(asns("1.0.0.0\t24\t1.10\n").v4[0].value, Asn(65_546));
}

#[test]
fn a_bad_row_costs_itself_alone_and_is_shown() {
    for (text, line, found) in [
        ("1,2,JP\n\n3,x,JP\n4,5,JP\n", 3, "3,x,JP"),
        ("nonsense\nmore of it\n1,2,JP\n4,5,JP\n", 2, "more of it"),
        ("1,2,JP\n3,::4,JP\n4,5,JP\n", 2, "3,::4,JP"),
        ("1,2,JP\n3,4\n4,5,JP\n", 2, "3,4"),
        ("1,2,JP\n3,4,Japan\n4,5,JP\n", 2, "3,4,Japan"),
        (
            "1.0.0.0/8,JP\n2.0.0.0/33,JP\n3.0.0.0/8,JP\n",
            2,
            "2.0.0.0/33,JP",
        ),
        (
            "a|JP|ipv4|1.0.0.0|256|x|y\na|JP|ipv4|255.255.255.255|2|x|y\na|JP|ipv4|2.0.0.0|256|x|y\n",
            2,
            "a|JP|ipv4|255.255.255.255|2|x|y",
        ),
    ] {
        let ranges = countries(text);
        assert_eq!(
            (ranges.v4.len(), ranges.oddities.bad_rows),
            (2, 1),
            "{text}"
        );
        let shown = &ranges.bad_rows[0];
        assert_eq!((shown.line, shown.found.as_str()), (line, found));
    }
    let bad = asns("1.0.0.0\t24\t7\n1.0.1.0\t33\t7\n1.0.2.0\t24\t12x\n2.0.0.0\t8\t9\n");
    assert_eq!((bad.v4.len(), bad.oddities.bad_rows), (2, 2));
}

#[test]
fn a_list_that_is_mostly_bad_is_refused_with_its_first_bad_rows() {
    let text = b"1,2,JP\n3,4,x\n5,6,yy\n7,8,zzz\n9,a,JP\n10,x,JP\n11,y,JP\n";
    let Err(TextError::MostlyBad { bad, rows, first }) = read::<Country>(text) else {
        panic!("mostly bad");
    };
    assert_eq!((bad, rows), (5, 7));
    let lines: Vec<usize> = first.iter().map(|row| row.line).collect();
    assert_eq!(lines, [2, 4, 5]);
}

#[test]
fn what_a_list_does_not_hold_is_not_taken_from_another_column() {
    for text in [
        "network,geoname_id,registered_country_geoname_id\n1.0.0.0/24,2077456,1861060\n",
        "1.0.0.0,1.0.0.255,JP,Japan,Tokyo,35.1,139.2\n",
        "a|JP|ipv4|1.0.0.0|256|x|y\n",
    ] {
        let error = read::<Asn>(text.as_bytes()).expect_err(text);
        assert!(matches!(error, TextError::NoColumn(..)), "{error:?}");
    }
    assert!(read::<Country>(b"1,2,Japan\n").is_err());
}

#[test]
fn what_is_no_data_is_told_by_its_first_line() {
    for text in [
        "",
        "hello\n",
        "hello\nworld\n",
        "{\"a\": 1}\n",
        "\u{0}\u{1}",
    ] {
        let error = read::<Country>(text.as_bytes()).expect_err(text);
        assert!(matches!(error, TextError::Unknown(_)), "{error:?}");
    }
}
