// Queries and Results in MessagePack, with org.msgpack:msgpack-core.
import java.io.IOException;
import java.util.*;
import org.msgpack.core.*;
import org.msgpack.value.*;

class Body {
    static byte[] write(Map<String, Object> query) throws IOException {
        MessageBufferPacker packer = MessagePack.newDefaultBufferPacker();
        packer.packMapHeader(query.size());
        for (var field : query.entrySet()) {
            packer.packString(field.getKey());
            if (field.getValue() instanceof Long number) packer.packLong(number);
            else packer.packString(field.getValue().toString());
        }
        return packer.toByteArray();
    }
    static Map<String, Value> read(byte[] body) throws IOException {
        Map<String, Value> result = new HashMap<>();
        for (var field : MessagePack.newDefaultUnpacker(body).unpackValue().asMapValue().entrySet())
            result.put(field.getKey().asStringValue().asString(), field.getValue());
        return result;
    }
    static String said(Map<String, Value> result) {
        return switch (result.get("outcome").toString()) {
            case "signed" -> "signed, debit: " + result.get("charge_agent") + " refund: " + result.get("refund_charge");
            case "not_signed", "abnormal" -> "stop: " + result.get("outcome");
            default -> "nothing may follow: " + result.get("outcome") + " " + result.get("code"); // unknown is never a no
        };
    }
}
