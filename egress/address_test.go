package egress_test

import (
	"net/netip"
	"testing"

	"parley/egress"
)

func TestGuardRefusesWhatIsNotPublic(t *testing.T) {
	guard := &egress.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	for address, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "10.1.2.3": true, "::ffff:10.1.2.3": true, "64:ff9b::a01:203": true,
		"127.0.0.1": false, "127.255.255.254": false, "::1": false, "0.0.0.0": false, "::": false, "10.2.0.1": false,
		"172.16.0.1": false, "172.31.255.255": false, "172.32.0.1": true, "192.168.1.1": false, "169.254.169.254": false, "fe80::1": false,
		"fe80::1%eth0": false, "fd00:ec2::254": false, "100.64.0.1": false, "224.0.0.1": false, "ff02::1": false,
		"255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "192.0.0.8": false, "::ffff:127.0.0.1": false,
		"::ffff:169.254.169.254": false, "64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b::5db8:d822": true,
		"64:ff9b:1::5db8:d822": false, "2002:7f00:1::": false, "2002:c0a8:101::": false, "::127.0.0.1": false, "::ffff:0:127.0.0.1": false,
		"fec0::1": false, "192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "2001:db8::1": false, "3fff::1": false,
		"0.1.2.3": false, "192.88.99.1": false, "2001:0:4136:e378:8000:63bf:3fff:fdd2": false, "100::1": false, "5f00::1": false,
	} {
		if got := guard.Permits(netip.MustParseAddr(address)); got != want {
			t.Errorf("Permits(%s) = %v, want %v", address, got, want)
		}
	}
	if guard.Permits(netip.Addr{}) {
		t.Error("Permits(no address) = true")
	}
}

// Whoever configures an address hears of it at once, however it is written. Names are judged later, on every connect.
func TestAddressesAreRefusedAsTheyAreWritten(t *testing.T) {
	guard := &egress.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	for host, refused := range map[string]bool{
		"127.0.0.1": true, "127.1": true, "127.0.1": true, "2130706433": true, "0x7f000001": true, "0X7F.0.0.1": true, "017700000001": true,
		"0177.0.0.01": true, "127.0.0.1.": true, "127.000.000.001": true, "0": true, "0x0": true, "00": true, "169.254.169.254": true,
		"2852039166": true, "0xa9fea9fe": true, "0251.0376.0251.0376": true, "169.254.43518": true, "0xa9.0xfe.0xa9.0xfe": true,
		"::1": true, "::ffff:127.0.0.1": true, "fe80::1%eth0": true, "64:ff9b::7f00:1": true, "１２７.0.0.1": true, "①②⑦.⓪.⓪.①": true, "127。0。0。1": true,
		"10.1.2.3": false, "0x0a010203": false, "10.1.515": false, "93.184.216.34": false, "1572395042": false, "08.8.8.8": false,
		"example.org": false, "localhost": false, "1.2.3.4.example": false, "1.2.3.4.5": false, "dead.beef": false, "0x": false, "": false,
		"4294967296": false, "256.1.1.1": false, "xn--bcher-kva.example": false, "127.0.0.1-x": false,
	} {
		if got := guard.Refuses(host); got != refused {
			t.Errorf("Refuses(%q) = %v, want %v", host, got, refused)
		}
	}
}

func TestParseAllow(t *testing.T) {
	got, err := egress.ParseAllow([]string{"10.1.2.3/8", "192.168.0.1", "fd00::/8"})
	if err != nil || len(got) != 3 || got[0].String() != "10.0.0.0/8" || got[1].String() != "192.168.0.1/32" {
		t.Errorf("ParseAllow = %v, %v", got, err)
	}
	if _, err := egress.ParseAllow([]string{"10.0.0.0/99"}); err == nil {
		t.Error("10.0.0.0/99 is taken")
	}
}
