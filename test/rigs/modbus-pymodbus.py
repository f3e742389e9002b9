"""A Modbus server of pymodbus: python3 modbus-pymodbus.py tcp|rtu-tcp|ascii-tcp|udp|rtu|ascii WHERE. Says "ready"."""
import asyncio
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer, StartAsyncUdpServer
from pymodbus.transaction import ModbusAsciiFramer, ModbusRtuFramer, ModbusSocketFramer

kind, where = sys.argv[1:3]
framer = {"rtu": ModbusRtuFramer, "asc": ModbusAsciiFramer}.get(kind[:3], ModbusSocketFramer)


def block(first):
    return ModbusSequentialDataBlock(0, [first + i for i in range(100)])


unit = ModbusSlaveContext(
    zero_mode=True,
    co=ModbusSequentialDataBlock(0, [False, True] * 50),
    di=ModbusSequentialDataBlock(0, [True, False] * 50),
    ir=block(1000),
    hr=block(2000),
)
identity = ModbusDeviceIdentification(info_name={"VendorName": "pymodbus", "ProductCode": "PM", "MajorMinorRevision": "3"})
common = {"context": ModbusServerContext(slaves={5: unit}, single=False), "identity": identity, "framer": framer}


async def main():
    if kind in ("rtu", "ascii"):
        server = await StartAsyncSerialServer(port=where, baudrate=115200, defer_start=True, **common)
        await server.start()
        print("ready", flush=True)
        await server.serve_forever()
        return
    start = StartAsyncUdpServer if kind == "udp" else StartAsyncTcpServer
    server = await start(address=("127.0.0.1", int(where)), defer_start=True, **common)
    task = asyncio.create_task(server.serve_forever())
    await server.serving
    print("ready", flush=True)
    await task


asyncio.run(main())
