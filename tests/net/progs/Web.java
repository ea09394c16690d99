import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Arrays;

/** Java's HTTP server, and a client that looks a name up. */
public class Web {
    static void serve(int port) throws Exception {
        HttpServer s = HttpServer.create(new InetSocketAddress(port), 0);
        s.createContext("/", x -> {
            byte[] b = ("from " + x.getRemoteAddress() + "\n").getBytes();
            x.sendResponseHeaders(200, b.length);
            x.getResponseBody().write(b);
            x.close();
        });
        s.start();
        System.out.println("serving");
    }

    static void connect(String host, int port) throws Exception {
        System.out.println(Arrays.toString(InetAddress.getAllByName(host)));
        try (Socket s = new Socket(host, port)) {
            s.getOutputStream().write("GET / HTTP/1.0\r\n\r\n".getBytes());
            System.out.println(
                new String(s.getInputStream().readAllBytes()).split("\r")[0]);
        }
    }

    public static void main(String[] a) throws Exception {
        if (a[0].equals("serve"))
            serve(Integer.parseInt(a[1]));
        else
            connect(a[1], Integer.parseInt(a[2]));
    }
}
