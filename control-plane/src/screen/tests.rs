use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn networks(list: &[&str]) -> Vec<Network> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn what_only_we_can_reach_is_forbidden() {
    for text in [
        // IPv4: the first and the last address of each network.
        "0.0.0.0",
        "0.255.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.168.0.0",
        "192.168.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.170.2",
        "169.254.255.255",
        "100.64.0.0",
        "100.100.100.200",
        "100.127.255.255",
        "192.0.0.0",
        "192.0.0.192",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "192.88.99.1",
        "198.18.0.0",
        "198.19.255.255",
        "168.63.129.16",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        // IPv6.
        "::",
        "::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "fdff::1",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "3fff:fff::1",
        "100::1",
        "5f00::1",
        "4000::1",
        // IPv4 inside: mapped, translated (well-known and local), 6to4, Teredo, compatible, ISATAP, SIIT.
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "::ffff:0.0.0.0",
        "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::10.0.0.1",
        "64:ff9b:1:808:8:800::",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2002:c0a8:101:1::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "2a00:1:2:3:0:5efe:10.0.0.1",
        "2a00:1:2:3:200:5efe:8.8.8.8",
        "::ffff:0:127.0.0.1",
    ] {
        let refused = screen(ip(text), &[]).unwrap_err();
        assert_eq!(refused.address, ip(text));
        assert!(refused.to_string().contains("must not be asked"));
    }
}

#[test]
fn the_internet_may_be_asked() {
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "192.0.1.1",
        "223.255.255.255",
        "168.63.129.15",
        "168.63.129.17",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "2001:200::1",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ] {
        assert_eq!(screen(ip(text), &[]), Ok(()), "{text}");
    }
}

#[test]
fn an_allowed_network_opens_itself_and_nothing_beside_it() {
    let allowed = networks(&["10.1.0.0/16", "127.0.0.1", "fd00:1::/32"]);
    for text in ["10.1.0.0", "10.1.255.255", "127.0.0.1", "fd00:1::5", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3"] {
        assert_eq!(screen(ip(text), &allowed), Ok(()), "{text}");
    }
    for text in ["10.0.255.255", "10.2.0.0", "127.0.0.2", "fd00:2::5", "fd00:ec2::254", "::ffff:10.2.0.0", "::1"] {
        assert!(screen(ip(text), &allowed).is_err(), "{text}");
    }
    assert_eq!(screen(ip("127.0.0.1"), &networks(&["0.0.0.0/0"])), Ok(()));
    assert!(screen(ip("::1"), &networks(&["0.0.0.0/0"])).is_err());
    assert_eq!(screen(ip("::1"), &networks(&["::/0"])), Ok(()));
}

#[test]
fn a_network_is_written_in_one_way() {
    for wrong in [
        "",
        "/",
        "10.0.0.0/33",
        "::/129",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/08",
        "10.0.0/8",
        "x/8",
        "10.0.0.0/8/8",
        "10.0.0.1/8",
        "fd00::1/8",
        " 10.0.0.0/8",
        "fe80::1%eth0",
        "010.0.0.0/8",
        "10.0.0.0/256",
    ] {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
    for right in ["0.0.0.0/0", "::/0", "10.0.0.0/8", "1.2.3.4/32", "1.2.3.4", "::1", "::1/128", "10.128.0.0/9"] {
        assert!(right.parse::<Network>().is_ok(), "{right}");
    }
    assert!("10.1.2.3/8".parse::<Network>().unwrap_err().contains("10.0.0.0/8"));
}

/// Spellings that a resolver may take for an address of this machine or of the metadata: whichever it does, none passes.
#[tokio::test]
async fn no_spelling_of_a_host_gets_past() {
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0X7F000001",
        "017700000001",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f.1",
        "127.0.0.0x1",
        "0",
        "0.0.0.0",
        "00000177.1",
        "2852039166",
        "0xa9fea9fe",
        "169.254.43518",
        "0251.0376.0251.0376",
        "169.254.169.254.",
        "0xa9.0xfe.0xa9.0xfe",
        "[::1]",
        "::1",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:a9fe:a9fe]",
        "[fe80::1%eth0]",
        "[fe80::1%25eth0]",
        "fe80::1%1",
        "[::1",
        "::1]",
        "[]",
        "[127.0.0.1]",
        "[::1].",
        "[fd00:ec2::254]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "127.0.0.1%00",
        "127.0.0.1\n",
        "127.0.0.1 ",
        " 127.0.0.1",
        "127.0.0.1#x",
        "127.0.0.1/",
        "x@127.0.0.1",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "1.1.1.1,127.0.0.1",
        "0x",
        "1.2.3.4.5",
        "256.256.256.256",
        "4294967296",
        "example.123",
    ] {
        let result = resolve_and_screen(host, 80, &[]).await;
        assert!(result.is_err(), "{host:?} became {result:?}");
    }
    let long = format!("{}.example", "a".repeat(MAX_HOST));
    assert!(resolve_and_screen(&long, 80, &[]).await.is_err());
}

#[tokio::test]
async fn a_good_host_gives_the_addresses_to_connect_to() {
    assert_eq!(resolve_and_screen("1.1.1.1", 443, &[]).await, Ok(vec![ip("1.1.1.1")]));
    assert_eq!(resolve_and_screen("1.1.1.1.", 443, &[]).await, Ok(vec![ip("1.1.1.1")]));
    assert_eq!(resolve_and_screen("[2606:4700::1]", 443, &[]).await, Ok(vec![ip("2606:4700::1")]));
    let own = networks(&["127.0.0.0/8", "::1"]);
    let local = resolve_and_screen("localhost", 80, &own).await.unwrap();
    assert!(!local.is_empty() && local.iter().all(IpAddr::is_loopback), "{local:?}");
    // One that is refused refuses the host, whatever else it has.
    let half = resolve_and_screen("localhost", 80, &networks(&["192.0.2.0/24"])).await;
    assert!(half.unwrap_err().contains("this machine"));
}

#[test]
fn names_are_no_addresses() {
    for name in
        ["example.com", "a-b_c.example", "0x7f.example", "1.example", "3com", "0xg", "dead.beef", "xn--e1afmkfd"]
    {
        assert_eq!(literal(name), Ok(None), "{name}");
    }
}
