#!/usr/bin/perl
# httpd.pl DIR PORTFILE: serve the files of DIR over HTTP on a free port of 127.0.0.1, whose number
# is written to PORTFILE, until killed.
use strict;
use IO::Socket::INET;
my ($dir, $portfile) = @ARGV;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8, ReuseAddr => 1) or die $!;
open my $port, '>', "$portfile.new" or die $!;
print $port $server->sockport, "\n";
close $port;
rename "$portfile.new", $portfile or die $!;
while (my $client = $server->accept) {
    my ($name) = <$client> =~ m{^GET /([\w.-]+)(?:\?\S*)? } ? $1 : '';
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/ }
    if ($name && open my $file, '<:raw', "$dir/$name") {
        my $body = do { local $/; <$file> };
        print $client "HTTP/1.0 200 OK\r\nContent-Length: ", length $body, "\r\n\r\n", $body;
    } else {
        print $client "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    }
    close $client;
}
