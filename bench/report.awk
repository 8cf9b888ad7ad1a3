# SPDX-License-Identifier: GPL-2.0-or-later
#
# report.awk - the results of bench/run as a page (part=page) or a chart (bars, growth)
#
# spawn.c and run describe the fields of the input lines.

$1 == "about" { name = $2; $1 = $2 = ""; about[name] = substr($0, 3) }
$1 == "time" {
	key = $2 SUBSEP $3 SUBSEP $4
	p50[key] = $7; p90[key] = $8; p99[key] = $9; least[key] = $10; user[key] = $11
	sys[key] = $12; rss[key] = $13; failed[key] = $6; samples[key] = $5
	if (!($2 in seen)) { seen[$2] = 1; cases[++n_cases] = $2 }
	if (!($2 SUBSEP $3 in seen)) { seen[$2, $3] = 1; lanes[$2] = lanes[$2] " " $3 }
	if ($3 ~ /^cplug/ && $13 + 0 > most_rss + 0 && $4 == "ADD") most_rss = $13
}
$1 == "ratio" { ratio[$2, $3, $4, $5] = $7; q1[$2, $3, $4, $5] = $6; q3[$2, $3, $4, $5] = $8 }
$1 == "burst" {
	burst[++n_bursts] = $0
	rate[$3, $4, $5] = $8
}
$1 == "work" { work[++n_work] = $0; programs[$3, $4] = $5 }
$1 == "path" {
	if (!($2 in paths)) { paths[$2] = 0; path[++n_paths] = $2 }
	i = ++paths[$2]
	for (k = 1; k <= 3; k++) flow[$2, k, i] = $(k + 2)
}
$1 == "rate" {
	key = $2 " " $3
	if (!(key in shaped)) { shaped[key] = 0; shape[++n_shapes] = key }
	i = ++paths[key]
	for (k = 1; k <= 4; k++) flow[key, k, i] = $(k + 3)
}
$1 == "size" { size[$2] = $3; whole[$2] = $4 }

END {
	if (part == "page") page()
	else if (part == "bars") bars()
	else curves()
}

# ---- words -------------------------------------------------------------------

function ms(us) { return us == "" ? "" : us < 9950 ? sprintf("%.2f", us / 1000) : sprintf("%.0f", us / 1000) }

function times(x) { return x >= 9.95 ? sprintf("%.0f×", x) : sprintf("%.2f×", x) }

# The ratio of two lanes, with its spread.
function rel(c, verb, a, b) {
	if (!((c, verb, a, b) in ratio)) return "-"
	return times(ratio[c, verb, a, b]) " (" times(q1[c, verb, a, b]) "-" times(q3[c, verb, a, b]) ")"
}

function median(name, k,    i, j, n, t, v) {
	n = paths[name]
	for (i = 1; i <= n; i++) v[i] = flow[name, k, i] + 0
	for (i = 1; i <= n; i++)
		for (j = i + 1; j <= n; j++)
			if (v[j] < v[i]) { t = v[i]; v[i] = v[j]; v[j] = t }
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

# The lane with n existing objects, as part_growth names it.
function at(kind, n) { return "cplug-" kind "." n }

# ---- the page ------------------------------------------------------------------

function goal(what, wanted, got) { if (got != "" && got != "-") printf "| %s | %s | %s |\n", what, wanted, got }

function goals(    v, worst, worst_verb, k, kinds, verbs, n, big, r) {
	print "## Goals\n\nMedians and quartiles of the ratios within a round.\n"
	print "| what | goal (target) | result |\n|---|---|---|"
	goal("chain (bridge, ipMasq, portmap): ADD, faster than the reference", "20× (40×)", rel("chain-1-port", "ADD", "reference", "cplug"))
	goal("bridge with ipMasq and one port: ADD / floor", "≤ 2.5 (1.5)", rel("own-1-port", "ADD", "cplug", "floor"))
	goal("bridge and host-local: ADD / floor", "≤ 2.0 (1.3)", rel("bridge", "ADD", "cplug", "floor"))
	goal("chain: DEL / floor", "≤ 1.3 (1.05)", rel("chain-1-port", "DEL", "cplug", "floor"))
	n = split("ADD CHECK STATUS DEL", verbs, " ")
	big = (("state", "ADD", at("state", 10000), at("state", 0)) in ratio) ? 10000 : 1000
	for (k = 1; k <= n; k++) {
		r = ratio["state", verbs[k], at("state", big), at("state", 0)]
		if (r > worst + 0) { worst = r; worst_verb = verbs[k] }
	}
	if (worst)
		goal("slowest verb with " big " containers / with none", "≤ 1.2 (1.05)", worst_verb " " rel("state", worst_verb, at("state", big), at("state", 0)))
	goal("chain of five (bridge, portmap, firewall, bandwidth, tuning): ADD, faster than the reference", "25×", rel("chain-of-five", "ADD", "reference", "cplug"))
	goal("chain of five: DEL, faster than the reference", "8×", rel("chain-of-five", "DEL", "reference", "cplug"))
	goal("chain of five: ADD / floor (five processes, and two of the floor)", "", rel("chain-of-five", "ADD", "cplug", "floor"))
	big = (("crowd", "ADD", at("crowd", 10000), at("crowd", 0)) in ratio) ? 10000 : 1000
	for (k = 1; k <= n; k++)
		if (verbs[k] == "ADD" || verbs[k] == "DEL")
			goal("chain of five: " verbs[k] " with " big " attachments / with none", "≤ 1.1", rel("crowd", verbs[k], at("crowd", big), at("crowd", 0)))
	big = (("links", "ADD", at("links", 10000), "floor") in ratio) ? 10000 : 1000
	goal("bridge with ipMasq and one port: ADD / floor, with " big " links on the machine", "≤ 1.2", rel("links", "ADD", at("links", big), "floor"))
	goal("host-local with 65,000 leases: ADD, faster than the reference", "100× (500×)", rel("leases", "ADD", "reference.65000", "cplug.65000"))
	if (median("cplug.10000", 1))
		goal("new connections/s with 10,000 port mappings / with 1", "≥ 0.95 (1.0)", sprintf("%.2f", median("cplug.10000", 1) / median("cplug.1", 1)))
	if (rate["reference", 32, "ADD"])
		goal("64 containers, 32 in parallel: ADDs/s / reference", "15× (30×)", times(rate["cplug", 32, "ADD"] / rate["reference", 32, "ADD"]))
	if (rate["reference", 32, "DEL"])
		goal("64 containers, 32 in parallel: DELs/s / reference", "90×", times(rate["cplug", 32, "DEL"] / rate["reference", 32, "DEL"]))
	if (rate["floor", 32, "DEL"])
		goal("64 containers, 32 in parallel: DELs/s / floor", "1.5×", sprintf("%.2f×", rate["cplug", 32, "DEL"] / rate["floor", 32, "DEL"]))
	if (rate["cplug", 8, "ADD"])
		goal("64 containers, 8 in parallel: ADDs/s", "750", sprintf("%.0f", rate["cplug", 8, "ADD"]))
	goal("chain: CHECK, faster than the reference", "10× (30×)", rel("chain-1-port", "CHECK", "reference", "cplug"))
	goal("ptp: ADD, faster than the reference", "8×", rel("ptp", "ADD", "reference", "cplug"))
	goal("ptp: ADD / floor", "≤ 1.7", rel("ptp", "ADD", "cplug", "floor"))
	goal("ptp: ADD / floor, with 1,000 real containers on the machine", "", rel("containers", "ADD", "cplug", "floor"))
	goal("ptp with netkit: ADD / floor", "≤ 1.7", rel("ptp-netkit", "ADD", "cplug", "floor"))
	goal("ptp, IPv4 and IPv6: ADD, faster than the reference", "200×", rel("ptp-dual-stack", "ADD", "reference", "cplug"))
	goal("static: ADD, faster than the reference", "8×", rel("static", "ADD", "reference", "cplug"))
	goal("macvlan: ADD, faster than the reference", "8×", rel("macvlan", "ADD", "reference", "cplug"))
	goal("macvlan, IPv4 and IPv6: ADD, faster than the reference", "200×", rel("macvlan-dual-stack", "ADD", "reference", "cplug"))
	goal("macvlan: ADD / floor", "≤ 1.7", rel("macvlan", "ADD", "cplug", "floor"))
	n = split("ipvlan vlan dummy tap vrf", kinds, " ")
	for (k = 1; k <= n; k++) {
		goal(kinds[k] ": ADD, faster than the reference", "8×", rel(kinds[k], "ADD", "reference", "cplug"))
		goal(kinds[k] ": ADD / floor", "≤ 1.7", rel(kinds[k], "ADD", "cplug", "floor"))
	}
	goal("host-device: ADD / floor (one move, nearly all of the time; the reference moves twice)", "≤ 1.7", rel("host-device", "ADD", "cplug", "floor"))
	goal("host-device: ADD, faster than the reference", "1.7×", rel("host-device", "ADD", "reference", "cplug"))
	goal("host-device, IPv4 and IPv6: ADD, faster than the reference", "8×", rel("host-device-dual-stack", "ADD", "reference", "cplug"))
	for (k = 1; k <= n_shapes; k++)
		if (shape[k] ~ /^cplug/) {
			goal("bandwidth, " substr(shape[k], 7) " at 100 Mbit/s: rate", "95 to 105", sprintf("%.1f Mbit/s", median(shape[k], 1)))
			goal("bandwidth, " substr(shape[k], 7) " at 100 Mbit/s: round trip under load, p99", "≤ 5 ms", sprintf("%.1f ms", median(shape[k], 3)))
		}
	goal("bandwidth: ADD, faster than the reference", "8×", rel("bandwidth", "ADD", "reference", "cplug"))
	goal("size on disk, static and stripped", "≤ 1.5 MB (0.8 MB)", "cplug" in size ? sprintf("%.2f MB", size["cplug"] / 1e6) : "")
	goal("peak RSS of an ADD", "≤ 3 MB (1.5 MB)", most_rss ? sprintf("%.2f MB", most_rss / 1024) : "")
	goal("VERSION / empty static program, system's C library", "≤ 1.3 (1.1)", rel("version", "VERSION", "cplug", "nothing-system"))
	goal("VERSION / empty static program, C library of cplug", "", rel("version", "VERSION", "cplug", "nothing"))
	if (("chain", "ADD") in programs)
		goal("programs executed by an ADD besides the plugins", "0", programs["chain", "ADD"] - 2)
	print ""
}

# How many times faster than the newest release.
function beside_newest(    i, c) {
	print "## Beside the newest reference\n\nMedians and quartiles of newest / cplug within a round.\n"
	print "| case | ADD | CHECK | DEL |\n|---|---|---|---|"
	for (i = 1; i <= n_cases; i++) {
		c = cases[i]
		if ((c, "ADD", "newest", "cplug") in ratio)
			printf "| %s | %s | %s | %s |\n", c, rel(c, "ADD", "newest", "cplug"), rel(c, "CHECK", "newest", "cplug"), rel(c, "DEL", "newest", "cplug")
	}
	print ""
}

function table_of(c,    l, n, i, v, nv, verbs, k, key) {
	n = split(lanes[c], l, " ")
	nv = split("VERSION ADD CHECK STATUS GC DEL", verbs, " ")
	for (k = 1; k <= nv; k++)
		for (i = 1; i <= n; i++) {
			key = c SUBSEP l[i] SUBSEP verbs[k]
			if (!(key in p50)) continue
			printf "| %s | %s | %s | %s | %s | %s | %s |", c, verbs[k], l[i],
				ms(p50[key]), ms(p90[key]), ms(p99[key]), ms(least[key])
			printf " %s + %s | %.1f | %s |\n", ms(user[key]), ms(sys[key]),
				rss[key] / 1024, failed[key] ? failed[key] " of " samples[key] : ""
		}
}

function page(    i, w, k) {
	print "# Benchmark results\n"
	print "Generated by `make bench`.  Method: [performance.md](../docs/performance.md).  The"
	print "competitors took turns in one run, each on a host (network namespace) of its own.  Compare"
	print "ratios: absolute times depend on the load of the machine.\n"
	printf "%s; kernel %s; CPUs %s; %s; %s.\n\n", about["date"], about["kernel"], about["cpu"], about["iptables"], about["rounds"]
	if (about["note"]) print about["note"] "\n"
	print "*floor* is `bench/floor.c`, the minimum kernel work; *reference* is the Go plugins as"
	print "packaged by the distribution, with iptables."
	if (about["newest"]) {
		print "*newest* is another release of them (`REFERENCE=DIR`; it calls itself \"" about["newest"] "\"), with"
		print "its nftables backends where it has them."
	}
	print ""
	goals()
	if (about["newest"]) beside_newest()
	print "![ADD](add.svg)\n"
	print "## Every verb\n\nWall time of the whole chain in milliseconds; medians of user + system time (ms) and of peak"
	print "memory (MiB).\n"
	print "| case | verb | competitor | p50 | p90 | p99 | min | user + system | MiB | failed |\n|---|---|---|---:|---:|---:|---:|---:|---:|---|"
	for (i = 1; i <= n_cases; i++)
		if (cases[i] != "state" && cases[i] != "links" && cases[i] != "foreign" && cases[i] != "crowd") table_of(cases[i])
	if ("chain-1-port" in seen) print "\n(CHECK of the reference's portmap 1.1.1 fails for containers without IPv6.)"
	if ("state" in seen || "crowd" in seen) {
		print "\n## Growth\n\nThe number after the name counts the existing objects: *state*: containers with lease,"
		print "port mapping and masquerade; *foreign*: NAT rules of other programs; *links*: bridge ports;\n*crowd*: attachments of the chain of five.\n\n![growth](growth.svg)\n"
		print "| case | verb | competitor | p50 | p90 | p99 | min | user + system | MiB | failed |\n|---|---|---|---:|---:|---:|---:|---:|---:|---|"
		table_of("state"); table_of("foreign"); table_of("links"); table_of("crowd")
	}
	if (n_bursts) {
		print "\n## Bursts\n\n| competitor | parallel | verb | containers/s | p50 ms | p99 ms | failed |\n|---|---:|---|---:|---:|---:|---:|"
		for (i = 1; i <= n_bursts; i++) {
			split(burst[i], w, " ")
			printf "| %s | %s | %s | %s | %s | %s | %s of %s |\n", w[3], w[4], w[5], w[8], ms(w[9]), ms(w[10]), w[7], w[6]
		}
	}
	if (n_paths) {
		print "\n## Data path\n\nThe number after the name counts the port mappings.\n"
		print "| competitor | published: new connections/s | published: MB/s | masqueraded: new connections/s |\n|---|---:|---:|---:|"
		for (i = 1; i <= n_paths; i++)
			printf "| %s | %d | %d | %d |\n", path[i], median(path[i], 1), median(path[i], 2), median(path[i], 3)
	}
	if (n_shapes) {
		print "\n## Rates\n\n100 Mbit/s and a burst of 1 ms, with one TCP connection that sends as fast as it can, and a UDP"
		print "packet each 5 ms that comes back.  The rate is that of the wire, with headers.\n"
		print "| competitor | direction | Mbit/s | round trip p50 ms | p99 ms | lost of 1,000 |\n|---|---|---:|---:|---:|---:|"
		for (i = 1; i <= n_shapes; i++) {
			split(shape[i], w, " ")
			printf "| %s | %s | %.1f | %.2f | %.2f | %.1f |\n", w[1], w[2], median(shape[i], 1), median(shape[i], 2), median(shape[i], 3), median(shape[i], 4)
		}
	}
	if (n_work) {
		print "\n## Kernel requests of a call\n\n(bridge, ipMasq, one port; *chain*: with portmap; *own*: bridge alone)\n"
		print "| competitor | verb | programs | system calls | netlink requests |\n|---|---|---:|---:|---:|"
		for (i = 1; i <= n_work; i++) {
			split(work[i], w, " ")
			printf "| %s | %s | %s | %s | %s |\n", w[3], w[4], w[5], w[6], w[7]
		}
	}
	if ("cplug" in size) {
		print "\n## Size on disk\n\n| competitor | bridge, portmap, host-local, loopback | whole suite |\n|---|---:|---:|"
		for (i in size) printf "| %s | %.2f MB | %.2f MB |\n", i, size[i] / 1e6, whole[i] / 1e6
	}
}

# ---- charts --------------------------------------------------------------------

function open_svg(w, h, title) {
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n", w, h, w, h
	printf "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n<text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">%s</text>\n", w, h, title
}

function label(x, y, anchor, s) { printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, s }

function log10(x) { return log(x) / log(10) }

function colour(lane) { return lane ~ /^floor|^nothing/ ? "#9aa0a6" : lane ~ /^reference|^newest/ ? "#d9822b" : "#1f6feb" }

# Bars from 0.3 ms to 3 s, in powers of ten.
function bars(    i, k, l, n, y, x, key, rows, t) {
	for (i = 1; i <= n_cases; i++)
		if (has_bar(cases[i])) rows += split(lanes[cases[i]], l, " ") + 0.6
	open_svg(760, 70 + rows * 18, "ADD, median, milliseconds (logarithmic)")
	for (t = 1; t <= 1000; t *= 10) {
		x = 170 + log10(t / 0.3) * 130
		printf "<line x1=\"%.1f\" y1=\"34\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", x, x, 40 + rows * 18
		label(x, 56 + rows * 18, "middle", t " ms")
	}
	y = 40
	for (i = 1; i <= n_cases; i++) {
		if (!has_bar(cases[i])) continue
		n = split(lanes[cases[i]], l, " ")
		label(162, y + n * 9 + 4, "end", cases[i])
		for (k = 1; k <= n; k++) {
			key = cases[i] SUBSEP l[k] SUBSEP "ADD"
			x = log10(p50[key] / 300) * 130
			printf "<rect x=\"170\" y=\"%.1f\" width=\"%.1f\" height=\"15\" fill=\"%s\"/>\n", y, (x > 1 ? x : 1), colour(l[k])
			label(175 + (x > 1 ? x : 1), y + 12, "start", l[k] " " ms(p50[key]))
			y += 18
		}
		y += 10.8
	}
	print "</svg>"
}

function has_bar(c) { return c != "version" && c != "state" && c != "links" && c != "foreign" && c != "crowd" && c != "containers" && c != "leases" && c != "cnitool" && c != "pool" }

# ADD over the number of existing containers; both axes in powers of ten.
function curves(    k, n, sizes, i, x, y, who, last, t, key, points) {
	open_svg(760, 400, "ADD with N existing containers (lease, port, masquerade)")
	for (t = 1; t <= 1000; t *= 10) {
		y = 340 - log10(t) * 90
		printf "<line x1=\"80\" y1=\"%.1f\" x2=\"620\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", y, y
		label(72, y + 4, "end", t " ms")
	}
	n = split("0 100 1000 10000", sizes, " ")
	for (i = 1; i <= n; i++) label(100 + (i - 1) * 165, 366, "middle", sizes[i])
	split("cplug-state reference-state", who, " ")
	for (k = 1; k <= 2; k++) {
		points = last = ""
		for (i = 1; i <= n; i++) {
			key = "state" SUBSEP who[k] "." sizes[i] SUBSEP "ADD"
			if (!(key in p50)) continue
			x = 100 + (i - 1) * 165
			y = 340 - log10(p50[key] / 1000) * 90
			points = points sprintf("%.1f,%.1f ", x, y)
			printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>\n", x, y, colour(who[k])
			label(x, y - 8, "middle", ms(p50[key]))
			last = sprintf("%.1f %.1f", x, y)
		}
		if (!last) continue
		printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", points, colour(who[k])
		split(last, points_end, " ")
		label(points_end[1] + 12, points_end[2] + 4, "start", k == 1 ? "cplug" : "reference")
	}
	print "</svg>"
}
